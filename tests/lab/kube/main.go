// Command kube is everything of Kubernetes that the lab runs, as one static program: by the name that it is called
// under, or by its first argument, it is etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
// kube-proxy or kubectl. One program links in a minute and takes a fifth of the room that seven would.
//
// Beside these it is three small tools of the lab's own: forward, policy and sink.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlerrors "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// The components register these themselves in their own main packages, which are not imported here.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// A program gets its arguments, without its name, and returns its exit code.
type program func(arguments []string) int

// component is a program that reads os.Args itself, as all of Kubernetes do.
func component(command func() *cobra.Command) program {
	return func([]string) int { return cli.Run(command()) }
}

var programs = map[string]program{
	"etcd": func(arguments []string) int {
		etcdmain.Main(append([]string{"etcd"}, arguments...))
		return 0
	},
	"kube-apiserver":          component(apiserver.NewAPIServerCommand),
	"kube-controller-manager": component(controllers.NewControllerManagerCommand),
	"kube-scheduler":          component(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubelet":                 component(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"kube-proxy":              component(proxy.NewProxyCommand),
	"kubectl": func([]string) int {
		// It says what is wrong in its own words, and ends the process with its own code.
		kubectlerrors.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
		return 0
	},
	"forward": forward,
	"policy":  policy,
	"sink":    sink,
}

func main() {
	name := filepath.Base(os.Args[0])
	if programs[name] == nil && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	run, known := programs[name]
	if !known {
		names := make([]string, 0, len(programs))
		for name := range programs {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: kube PROGRAM [ARGUMENT]...\nprograms: %s\n", strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}

// fail ends one of the lab's own tools.
func fail(tool string, err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", tool, err)
	return 1
}
