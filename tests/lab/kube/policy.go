package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"prodtest/lab/kube/rules"
)

// gathering is how long changes are collected before the rules are made anew: a rollout is one change, not ten.
const gathering = 30 * time.Millisecond

// policy enforces NetworkPolicies for the pods of one node, by iptables in the node's own network namespace. The
// bridge plugin of the lab enforces none, and no network plugin that does can be had as a Go module.
//
// It is made for a handful of pods: IPv4, a rule for each address and port. Connections that stand stay, and between a
// pod's start and the moment when its address is known nothing holds it back. From the node itself, and so for the
// kubelet's probes, everything is open, as Kubernetes wants it.
func policy(arguments []string) int {
	flags := flag.NewFlagSet("policy", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "`FILE` with the access to the cluster")
	node := flags.String("node", "", "`NAME` of this node")
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	access, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fail("policy", err)
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return fail("policy", err)
	}

	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	tell := func() {
		select {
		case changed <- struct{}{}:
		default: // It is known already.
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { tell() },
		UpdateFunc: func(any, any) { tell() },
		DeleteFunc: func(any) { tell() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fail("policy", err)
		}
	}
	factory.Start(context.Background().Done())
	factory.WaitForCacheSync(context.Background().Done())
	tell()

	var inForce rules.Rules
	for range changed {
		time.Sleep(gathering)
		seen, err := observe(pods.Lister().List, namespaces.Lister().List, policies.Lister().List)
		if err != nil {
			return fail("policy", err)
		}
		wanted := rules.Compile(*node, seen)
		if slices.Equal(wanted.Lines, inForce.Lines) && inForce.Lines != nil {
			continue
		}
		if err := apply(wanted, inForce.Chains); err != nil {
			fmt.Fprintf(os.Stderr, "policy: %v\n", err)
			time.AfterFunc(time.Second, tell)
			continue
		}
		inForce = wanted
		fmt.Fprintf(os.Stderr, "%s %d chains\n", time.Now().UTC().Format(time.RFC3339Nano), len(wanted.Chains))
	}
	return 0
}

func observe(
	pods func(labels.Selector) ([]*core.Pod, error),
	namespaces func(labels.Selector) ([]*core.Namespace, error),
	policies func(labels.Selector) ([]*networking.NetworkPolicy, error),
) (seen rules.World, err error) {
	if seen.Pods, err = pods(labels.Everything()); err != nil {
		return seen, err
	}
	if seen.Policies, err = policies(labels.Everything()); err != nil {
		return seen, err
	}
	all, err := namespaces(labels.Everything())
	seen.Namespaces = map[string]labels.Set{}
	for _, namespace := range all {
		seen.Namespaces[namespace.Name] = namespace.Labels
	}
	return seen, err
}

// apply puts the rules in force in one step; chains of before that nobody uses any more go.
func apply(wanted rules.Rules, before []string) error {
	var text strings.Builder
	text.WriteString("*filter\n:" + rules.Top + " - [0:0]\n")
	// To name a chain is to make it, or to empty it.
	for _, chain := range append(slices.Clone(before), wanted.Chains...) {
		text.WriteString(":" + chain + " - [0:0]\n")
	}
	for _, line := range wanted.Lines {
		text.WriteString("-A " + line + "\n")
	}
	for _, chain := range before {
		if !slices.Contains(wanted.Chains, chain) {
			text.WriteString("-X " + chain + "\n")
		}
	}
	text.WriteString("COMMIT\n")
	restore := exec.Command("iptables-restore", "--noflush", "--wait", "5")
	restore.Stdin = strings.NewReader(text.String())
	if said, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s\n%s", err, said, text.String())
	}
	jump := []string{"FORWARD", "--jump", rules.Top}
	if exec.Command("iptables", append([]string{"--wait", "5", "--check"}, jump...)...).Run() == nil {
		return nil
	}
	if said, err := exec.Command("iptables", append([]string{"--wait", "5", "--insert"}, jump...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, said)
	}
	return nil
}
