package rules

import (
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(namespace, name, address string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: core.PodSpec{NodeName: "node-1", Containers: []core.Container{{
			Ports: []core.ContainerPort{{Name: "http", ContainerPort: 7373}},
		}}},
		Status: core.PodStatus{PodIP: address},
	}
}

func app(name string) meta.LabelSelector {
	return meta.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

// lines are the rules of the pod "web" at 10.244.1.2 under one policy, without what every pod has.
func lines(t *testing.T, spec networking.NetworkPolicySpec) []string {
	t.Helper()
	made := Compile("node-1", World{
		Pods: []*core.Pod{
			pod("shop", "web", "10.244.1.2"), pod("shop", "other", "10.244.1.3"), pod("monitoring", "web", "10.244.1.4"),
		},
		Namespaces: map[string]labels.Set{"shop": {"name": "shop"}, "monitoring": {"name": "monitoring"}},
		Policies:   []*networking.NetworkPolicy{{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "p"}, Spec: spec}},
	})
	return made.Lines[1:]
}

func expect(t *testing.T, seen []string, wanted ...string) {
	t.Helper()
	if !slices.Equal(seen, wanted) {
		t.Errorf("seen:\n%s\nexpected:\n%s", strings.Join(seen, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestNoPolicyNoRule(t *testing.T) {
	expect(t, lines(t, networking.NetworkPolicySpec{PodSelector: app("nobody")}))
}

func TestASelectedPodIsClosedButForWhatIsAllowed(t *testing.T) {
	expect(t, lines(t, networking.NetworkPolicySpec{PodSelector: app("web")}),
		"LAB-I-0af40102 -j DROP",
		"LAB -d 10.244.1.2 -j LAB-I-0af40102")
	expect(t, lines(t, networking.NetworkPolicySpec{PodSelector: app("web"), PolicyTypes: []networking.PolicyType{"Egress"}}),
		"LAB-E-0af40102 -j DROP",
		"LAB -s 10.244.1.2 -j LAB-E-0af40102")
}

func TestPeersAreOfTheSameNamespaceUnlessAnotherIsNamed(t *testing.T) {
	everybody, monitoring := meta.LabelSelector{}, meta.LabelSelector{MatchLabels: map[string]string{"name": "monitoring"}}
	port := intstr.FromString("http")
	expect(t, lines(t, networking.NetworkPolicySpec{PodSelector: app("web"), Ingress: []networking.NetworkPolicyIngressRule{
		{From: []networking.NetworkPolicyPeer{{PodSelector: &everybody}}},
		{
			From:  []networking.NetworkPolicyPeer{{NamespaceSelector: &monitoring}},
			Ports: []networking.NetworkPolicyPort{{Port: &port}},
		},
	}}),
		"LAB-I-0af40102 -s 10.244.1.3 -j RETURN",
		"LAB-I-0af40102 -s 10.244.1.2 -j RETURN",
		"LAB-I-0af40102 -s 10.244.1.4 -p tcp --dport 7373 -j RETURN",
		"LAB-I-0af40102 -j DROP",
		"LAB -d 10.244.1.2 -j LAB-I-0af40102")
}

func TestABlockHasHoles(t *testing.T) {
	port, last, udp := intstr.FromInt32(53), int32(54), core.ProtocolUDP
	expect(t, lines(t, networking.NetworkPolicySpec{
		PodSelector: app("web"), PolicyTypes: []networking.PolicyType{"Egress"},
		Egress: []networking.NetworkPolicyEgressRule{{
			To:    []networking.NetworkPolicyPeer{{IPBlock: &networking.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.64.0.0/10"}}}},
			Ports: []networking.NetworkPolicyPort{{Port: &port, EndPort: &last, Protocol: &udp}},
		}},
	}),
		"LAB-E-0af40102 -d 10.0.0.0/10 -p udp --dport 53:54 -j RETURN",
		"LAB-E-0af40102 -d 10.128.0.0/9 -p udp --dport 53:54 -j RETURN",
		"LAB-E-0af40102 -j DROP",
		"LAB -s 10.244.1.2 -j LAB-E-0af40102")
}

func TestAHoleAsLargeAsItsBlockLeavesNothing(t *testing.T) {
	if left := without("10.0.0.0/8", []string{"10.0.0.0/8"}); left != nil {
		t.Error(left)
	}
	if left := without("10.0.0.0/8", []string{"192.168.0.0/16"}); len(left) != 1 {
		t.Error(left)
	}
}

func TestWhatIsOfIPv6IsLeftOut(t *testing.T) {
	if left := without("::/0", nil); left != nil {
		t.Error(left)
	}
	if left := without("10.0.0.0/8", []string{"fd00::/8"}); len(left) != 1 {
		t.Error(left)
	}
}

func TestPodsWithoutAnAddressAreNotThere(t *testing.T) {
	ended, remote := pod("shop", "web", "10.244.1.2"), pod("shop", "web", "10.244.2.2")
	ended.Status.Phase = core.PodSucceeded
	remote.Spec.NodeName = "node-2"
	made := Compile("node-1", World{Pods: []*core.Pod{ended, remote, pod("shop", "web", "")}, Policies: []*networking.NetworkPolicy{
		{ObjectMeta: meta.ObjectMeta{Namespace: "shop", Name: "p"}},
	}})
	expect(t, made.Chains)
}
