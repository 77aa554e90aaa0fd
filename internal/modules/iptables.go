package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.iptables",
		New: func() any {
			return &iptables{Table: "filter", State: "present", Action: "append", IPVersion: "ipv4", Syn: "ignore"}
		},
	})
}

// iptables is one rule, one chain, or the policy of one, in the running kernel.
type iptables struct {
	Table            string   `arg:"table" choices:"filter,nat,mangle,raw,security"`
	State            string   `arg:"state" choices:"absent,present"`
	Action           string   `arg:"action" choices:"append,insert"`
	RuleNum          string   `arg:"rule_num"`
	IPVersion        string   `arg:"ip_version" choices:"ipv4,ipv6"`
	Chain            string   `arg:"chain"`
	ChainManagement  bool     `arg:"chain_management"`
	Flush            bool     `arg:"flush"`
	Policy           string   `arg:"policy" choices:"ACCEPT,DROP,QUEUE,RETURN"`
	Wait             string   `arg:"wait"`
	Protocol         string   `arg:"protocol"`
	Source           string   `arg:"source"`
	Destination      string   `arg:"destination"`
	Match            []string `arg:"match"`
	TCPFlags         tcpFlags `arg:"tcp_flags"`
	Jump             string   `arg:"jump"`
	Gateway          string   `arg:"gateway"`
	LogPrefix        string   `arg:"log_prefix"`
	LogLevel         string   `arg:"log_level" choices:"0,1,2,3,4,5,6,7,emerg,alert,crit,error,warning,notice,info,debug"`
	ToDestination    string   `arg:"to_destination"`
	DestinationPorts []string `arg:"destination_ports"`
	ToSource         string   `arg:"to_source"`
	Goto             string   `arg:"goto"`
	InInterface      string   `arg:"in_interface"`
	OutInterface     string   `arg:"out_interface"`
	Fragment         string   `arg:"fragment"`
	SetCounters      string   `arg:"set_counters"`
	SourcePort       string   `arg:"source_port"`
	DestinationPort  string   `arg:"destination_port"`
	ToPorts          string   `arg:"to_ports"`
	SetDSCPMark      string   `arg:"set_dscp_mark"`
	SetDSCPMarkClass string   `arg:"set_dscp_mark_class"`
	Syn              string   `arg:"syn" choices:"ignore,match,negate"`
	CTState          []string `arg:"ctstate"`
	SrcRange         string   `arg:"src_range"`
	DstRange         string   `arg:"dst_range"`
	MatchSet         string   `arg:"match_set"`
	MatchSetFlags    string   `arg:"match_set_flags"`
	Limit            string   `arg:"limit"`
	LimitBurst       string   `arg:"limit_burst"`
	UIDOwner         string   `arg:"uid_owner"`
	GIDOwner         string   `arg:"gid_owner"`
	RejectWith       string   `arg:"reject_with"`
	ICMPType         string   `arg:"icmp_type"`
	Comment          string   `arg:"comment"`
}

// tcpFlags are flags to look at and those of them that must be set.
type tcpFlags map[string][]string

// Validate refuses what cannot go together.
func (m *iptables) Validate() error {
	switch {
	case m.SetDSCPMark != "" && m.SetDSCPMarkClass != "":
		return fault.New("parameters are mutually exclusive: set_dscp_mark|set_dscp_mark_class")
	case m.Flush && m.Policy != "":
		return fault.New("parameters are mutually exclusive: flush|policy")
	case m.Chain == "" && !m.Flush:
		return fault.New("Either chain or flush parameter must be specified.")
	case m.Jump == "TEE" && m.Gateway == "":
		return fault.New("jump is TEE but all of the following are missing: gateway")
	case m.Jump == "TEE" && m.Flush:
		return fault.New("parameters are mutually exclusive: flush|jump")
	case m.Jump != "" && m.Jump != "LOG" && (m.LogLevel != "" || m.LogPrefix != ""):
		return fault.New("Logging options can only be used with the LOG jump target.")
	case (m.MatchSet == "") != (m.MatchSetFlags == ""):
		return fault.New("parameters are required together: match_set, match_set_flags")
	case len(m.TCPFlags) > 0 && (len(m.TCPFlags["flags"]) == 0 || len(m.TCPFlags["flags_set"]) == 0 || len(m.TCPFlags) > 2):
		return fault.New("tcp_flags takes flags and flags_set")
	}
	switch m.MatchSetFlags {
	case "", "src", "dst", "src,dst", "dst,src", "src,src", "dst,dst":
		return nil
	}
	return fault.New("argument match_set_flags: %q is not one of: src, dst, src,dst, dst,src, src,src, dst,dst", m.MatchSetFlags)
}

// rule gives the words that describe the rule, in Ansible's order.
func (m *iptables) rule() []string {
	var r ruleWords
	r.opt("-w", m.Wait)
	r.not("-p", m.Protocol)
	r.not("-s", m.Source)
	r.not("-d", m.Destination)
	for _, match := range m.Match {
		r.opt("-m", match)
	}
	if len(m.TCPFlags) > 0 {
		r = append(r, "--tcp-flags", strings.Join(m.TCPFlags["flags"], ","), strings.Join(m.TCPFlags["flags_set"], ","))
	}
	r.opt("-j", m.Jump)
	if m.Jump == "TEE" {
		r.opt("--gateway", m.Gateway)
	}
	r.opt("--log-prefix", m.LogPrefix)
	r.opt("--log-level", m.LogLevel)
	r.opt("--to-destination", m.ToDestination)
	if len(m.DestinationPorts) > 0 {
		r = append(r, "-m", "multiport", "--dports", strings.Join(m.DestinationPorts, ","))
	}
	r.opt("--to-source", m.ToSource)
	r.opt("-g", m.Goto)
	r.not("-i", m.InInterface)
	r.not("-o", m.OutInterface)
	r.not("-f", m.Fragment)
	if m.SetCounters != "" {
		r = append(append(r, "-c"), strings.Fields(m.SetCounters)...)
	}
	r.not("--source-port", m.SourcePort)
	r.not("--destination-port", m.DestinationPort)
	r.opt("--to-ports", m.ToPorts)
	r.opt("--set-dscp", m.SetDSCPMark)
	r.opt("--set-dscp-class", m.SetDSCPMarkClass)
	switch m.Syn {
	case "match":
		r = append(r, "--syn")
	case "negate":
		r = append(r, "!", "--syn")
	}
	m.matches(&r)
	return r
}

// matches adds the options that need an extension, and those that come after.
func (m *iptables) matches(r *ruleWords) {
	if len(m.CTState) > 0 {
		states := strings.Join(m.CTState, ",")
		switch {
		case r.uses("state"):
			r.opt("--state", states)
		default:
			r.extension("conntrack")
			r.opt("--ctstate", states)
		}
	}
	if m.SrcRange != "" || m.DstRange != "" {
		r.extension("iprange")
		r.not("--src-range", m.SrcRange)
		r.not("--dst-range", m.DstRange)
	}
	if m.MatchSet != "" {
		r.extension("set")
		r.not("--match-set", m.MatchSet)
		*r = append(*r, m.MatchSetFlags)
	}
	if m.Limit != "" || m.LimitBurst != "" {
		r.extension("limit")
		r.opt("--limit", m.Limit)
		r.opt("--limit-burst", m.LimitBurst)
	}
	if m.UIDOwner != "" {
		*r = append(*r, "-m", "owner")
		r.not("--uid-owner", m.UIDOwner)
	}
	if m.GIDOwner != "" {
		*r = append(*r, "-m", "owner")
		r.not("--gid-owner", m.GIDOwner)
	}
	if m.RejectWith != "" {
		if m.Jump == "" {
			r.opt("-j", "REJECT")
		}
		r.opt("--reject-with", m.RejectWith)
	}
	icmp := "--icmp-type"
	if m.IPVersion == "ipv6" {
		icmp = "--icmpv6-type"
	}
	r.opt(icmp, m.ICMPType)
	if m.Comment != "" {
		*r = append(*r, "-m", "comment", "--comment", m.Comment)
	}
}

// ruleWords is a rule as it grows.
type ruleWords []string

func (r *ruleWords) opt(flag, v string) {
	if v != "" {
		*r = append(*r, flag, v)
	}
}

// not is opt for values that a leading ! turns round.
func (r *ruleWords) not(flag, v string) {
	if rest, ok := strings.CutPrefix(v, "!"); ok {
		*r = append(*r, "!")
		v = strings.TrimSpace(rest)
	}
	r.opt(flag, v)
}

func (r *ruleWords) uses(match string) bool {
	for i := range *r {
		if i > 0 && (*r)[i-1] == "-m" && (*r)[i] == match {
			return true
		}
	}
	return false
}

// extension loads a match unless the user's own list did.
func (r *ruleWords) extension(match string) {
	if !r.uses(match) {
		*r = append(*r, "-m", match)
	}
}

// Check looks at the kernel's rules.
func (m *iptables) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	rule := m.rule()
	p := module.Plan{Return: map[string]any{
		"chain": orNull(m.Chain), "chain_management": m.ChainManagement, "flush": m.Flush,
		"ip_version": m.IPVersion, "table": m.Table, "state": m.State, "rule": strings.Join(rule, " "),
	}}
	program := "iptables"
	if m.IPVersion == "ipv6" {
		program = "ip6tables"
	}
	if _, err := n.LookPath(program); err != nil {
		return p, notSure(n, fault.New("Failed to find required executable %q in paths: %s", program, n.Getenv("PATH")).
			WithHint("install the package iptables before"))
	}
	t := &packetTable{m: m, program: program}
	var err error
	switch {
	case m.Flush:
		p.Changes, err = t.flush(ctx, n)
	case m.Policy != "":
		p.Changes, err = t.policy(ctx, n)
	case m.State == "absent" && m.ChainManagement && len(rule) == 0:
		p.Changes, err = t.dropChain(ctx, n)
	default:
		p.Changes, err = t.rule(ctx, n, rule)
	}
	return p, err
}
