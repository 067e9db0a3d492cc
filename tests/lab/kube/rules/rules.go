// Package rules says which rules of iptables make NetworkPolicies true.
package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Top is the chain that FORWARD jumps to.
const Top = "LAB"

// A World is what the rules are made from.
type World struct {
	Pods       []*core.Pod
	Namespaces map[string]labels.Set // their labels, by name
	Policies   []*networking.NetworkPolicy
}

// Rules are lines for iptables, without the leading -A, and the chains that they use beside Top.
type Rules struct {
	Lines, Chains []string
}

// Compile says which rules make the policies true for the pods of a node.
//
// A pod that some policy selects has a chain for that direction: each thing that is allowed returns to Top, where the
// other end's chain may still have its say, and what is left is dropped. Policies only ever add to what is allowed, so
// the order of the rules is of no importance.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
func Compile(node string, seen World) Rules {
	made := Rules{Lines: []string{Top + " -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"}}
	pods := slices.Clone(seen.Pods)
	slices.SortFunc(pods, func(one, other *core.Pod) int { return strings.Compare(key(one), key(other)) })
	policies := slices.Clone(seen.Policies)
	slices.SortFunc(policies, func(one, other *networking.NetworkPolicy) int { return strings.Compare(key(one), key(other)) })
	seen.Pods = pods
	for _, pod := range pods {
		if pod.Spec.NodeName != node || !hasAddress(pod) {
			continue
		}
		made.direction(seen, policies, pod, networking.PolicyTypeIngress)
		made.direction(seen, policies, pod, networking.PolicyTypeEgress)
	}
	return made
}

func (made *Rules) direction(seen World, policies []*networking.NetworkPolicy, pod *core.Pod, direction networking.PolicyType) {
	// The pod's own side, and the side of its peers.
	own, peer := "-d", "-s"
	if direction == networking.PolicyTypeEgress {
		own, peer = "-s", "-d"
	}
	address := netip.MustParseAddr(pod.Status.PodIP)
	chain := fmt.Sprintf("%s-%s-%x", Top, direction[:1], address.AsSlice())
	selected := false
	for _, policy := range policies {
		if policy.Namespace != pod.Namespace || !has(policy, direction) || !selects(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		selected = true
		if direction == networking.PolicyTypeIngress {
			for _, rule := range policy.Spec.Ingress {
				made.allow(seen, chain, peer, policy.Namespace, rule.From, rule.Ports, pod)
			}
		} else {
			for _, rule := range policy.Spec.Egress {
				made.allow(seen, chain, peer, policy.Namespace, rule.To, rule.Ports, nil)
			}
		}
	}
	if selected {
		made.Chains = append(made.Chains, chain)
		made.Lines = append(made.Lines, chain+" -j DROP", fmt.Sprintf("%s %s %s -j %s", Top, own, address, chain))
	}
}

// allow adds what one rule of a policy lets through. Where receiver is nil, the peers receive.
func (made *Rules) allow(seen World, chain, side, namespace string, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort, receiver *core.Pod) {
	through := func(address string, receiver *core.Pod) {
		for _, match := range portMatches(ports, receiver) {
			made.Lines = append(made.Lines, strings.Join(strings.Fields(chain+" "+address+" "+match+" -j RETURN"), " "))
		}
	}
	if len(peers) == 0 {
		through("", receiver)
	}
	for _, peer := range peers {
		if peer.IPBlock != nil {
			for _, prefix := range without(peer.IPBlock.CIDR, peer.IPBlock.Except) {
				through(side+" "+prefix.String(), receiver)
			}
			continue
		}
		for _, pod := range seen.Pods {
			if !hasAddress(pod) || !isPeer(seen, &peer, namespace, pod) {
				continue
			}
			receives := receiver
			if receives == nil {
				receives = pod
			}
			through(side+" "+pod.Status.PodIP, receives)
		}
	}
}

func isPeer(seen World, peer *networking.NetworkPolicyPeer, namespace string, pod *core.Pod) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, seen.Namespaces[pod.Namespace]) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

// portMatches are the matches for iptables, one of which must hold; a single empty one where every port is open. A
// named port is what its receiver calls so, and nothing where that has none of the name.
func portMatches(ports []networking.NetworkPolicyPort, receiver *core.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var matches []string
	for _, port := range ports {
		protocol := core.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		match := "-p " + strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			matches = append(matches, match)
		case port.Port.Type == intstr.String:
			if number := named(receiver, port.Port.StrVal, protocol); number != 0 {
				matches = append(matches, fmt.Sprintf("%s --dport %d", match, number))
			}
		case port.EndPort != nil:
			matches = append(matches, fmt.Sprintf("%s --dport %d:%d", match, port.Port.IntVal, *port.EndPort))
		default:
			matches = append(matches, fmt.Sprintf("%s --dport %d", match, port.Port.IntVal))
		}
	}
	return matches
}

func named(pod *core.Pod, name string, protocol core.Protocol) int32 {
	if pod == nil {
		return 0
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name && (port.Protocol == protocol || port.Protocol == "" && protocol == core.ProtocolTCP) {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// without are the prefixes that cover a block but for its exceptions: iptables can negate one address, not several.
func without(block string, except []string) []netip.Prefix {
	whole, err := netip.ParsePrefix(block)
	if err != nil || !whole.Addr().Is4() {
		return nil // Of IPv6 there is nothing here that could be let through.
	}
	left := []netip.Prefix{whole.Masked()}
	for _, text := range except {
		hole, err := netip.ParsePrefix(text)
		if err != nil {
			return nil
		}
		if !hole.Addr().Is4() {
			continue
		}
		var next []netip.Prefix
		for _, prefix := range left {
			next = append(next, cut(prefix, hole.Masked())...)
		}
		left = next
	}
	return left
}

// cut is what is left of a prefix without the hole: the half that the hole is not in, and so on with the other.
func cut(prefix, hole netip.Prefix) []netip.Prefix {
	switch {
	case !prefix.Overlaps(hole):
		return []netip.Prefix{prefix}
	case hole.Bits() <= prefix.Bits():
		return nil
	}
	low := netip.PrefixFrom(prefix.Addr(), prefix.Bits()+1)
	middle := prefix.Addr().As4()
	middle[prefix.Bits()/8] |= 0x80 >> (prefix.Bits() % 8)
	high := netip.PrefixFrom(netip.AddrFrom4(middle), prefix.Bits()+1)
	return append(cut(low, hole), cut(high, hole)...)
}

func has(policy *networking.NetworkPolicy, direction networking.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, direction)
	}
	return direction == networking.PolicyTypeIngress || len(policy.Spec.Egress) > 0
}

func selects(selector *meta.LabelSelector, set map[string]string) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

func hasAddress(pod *core.Pod) bool {
	ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !ended
}

func key(object meta.Object) string { return object.GetNamespace() + "/" + object.GetName() }
