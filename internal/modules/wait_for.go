package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.wait_for",
		New:  func() any { return newWaitFor() },
	})
}

// waitFor waits until a port, a file or a number of seconds is as it should be.
type waitFor struct {
	Host                   string   `arg:"host"`
	Port                   int      `arg:"port"`
	Path                   string   `arg:"path"`
	SearchRegex            string   `arg:"search_regex"`
	State                  string   `arg:"state" choices:"absent,drained,present,started,stopped"`
	Timeout                int      `arg:"timeout"`
	Delay                  int      `arg:"delay"`
	Sleep                  int      `arg:"sleep"`
	ConnectTimeout         int      `arg:"connect_timeout"`
	ExcludeHosts           []string `arg:"exclude_hosts"`
	ActiveConnectionStates []string `arg:"active_connection_states"`
	Msg                    string   `arg:"msg"`
}

func newWaitFor() *waitFor {
	return &waitFor{
		Host: "127.0.0.1", State: "started", Timeout: 300, Sleep: 1, ConnectTimeout: 5,
		ActiveConnectionStates: []string{"ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"},
	}
}

// Validate refuses what cannot be waited for together.
func (m *waitFor) Validate() error {
	switch {
	case m.Port != 0 && m.Path != "":
		return fault.New("only one of port and path can be given")
	case m.Path != "" && m.State == "stopped":
		return fault.New("state=stopped should only be used for checking a port in the wait_for module")
	case m.Path != "" && m.State == "drained":
		return fault.New("state=drained should only be used for checking a port in the wait_for module")
	case m.Port == 0 && m.State == "drained":
		return fault.New("state=drained needs a port")
	case m.ExcludeHosts != nil && m.State != "drained":
		return fault.New("exclude_hosts should only be with state=drained")
	}
	for _, s := range m.ActiveConnectionStates {
		if _, ok := tcpStates[s]; !ok {
			return fault.New("unknown active_connection_state (%s) defined", s)
		}
	}
	if _, err := pyre.Compile(m.SearchRegex, pyre.Multiline); err != nil {
		return fault.New("search_regex: %v", err)
	}
	return nil
}

// Check waits. Nothing is ever changed; check mode does not wait, because what
// is waited for may be what an earlier task would have brought about.
func (m *waitFor) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	if n.IsCheck() {
		return module.Plan{Skipped: "check mode does not wait"}, nil
	}
	start := time.Now()
	ret := map[string]any{
		"state": m.State, "port": nil, "path": nil, "search_regex": nil,
		"match_groups": []any{}, "match_groupdict": map[string]any{},
	}
	p := module.Plan{Return: ret}
	if m.Port != 0 {
		ret["port"] = m.Port
	}
	if m.Path != "" {
		ret["path"] = m.Path
	}
	if m.SearchRegex != "" {
		ret["search_regex"] = m.SearchRegex
	}
	elapsed := func() int64 { return int64(time.Since(start) / time.Second) }
	if err := pauseFor(ctx, time.Duration(m.Delay)*time.Second); err != nil {
		return p, err
	}
	if m.Port == 0 && m.Path == "" {
		err := pauseFor(ctx, time.Duration(m.Timeout)*time.Second)
		ret["elapsed"] = elapsed()
		return p, err
	}
	deadline := start.Add(time.Duration(m.Timeout) * time.Second)
	for {
		done, err := m.reached(ctx, n, ret)
		if err != nil {
			return p, err
		}
		if done {
			ret["elapsed"] = elapsed()
			return p, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return module.Plan{}, &module.Failure{Msg: m.timeoutMsg(), Return: map[string]any{"elapsed": elapsed()}}
		}
		if err := pauseFor(ctx, min(time.Duration(max(m.Sleep, 1))*time.Second, left)); err != nil {
			return p, err
		}
	}
}

// pauseFor sleeps, and wakes when the task is cancelled.
func pauseFor(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// reached looks once.
func (m *waitFor) reached(ctx context.Context, n node.Reader, ret map[string]any) (bool, error) {
	switch {
	case m.State == "drained":
		active, err := m.activeConnections(ctx, n)
		return active == 0, err
	case m.Path != "" && (m.State == "absent" || m.State == "stopped"):
		_, err := n.Stat(m.Path)
		return errors.Is(err, fs.ErrNotExist), nil
	case m.Path != "":
		return m.fileReady(n, ret)
	}
	up, err := m.portReady(ctx, ret)
	if m.State == "absent" || m.State == "stopped" {
		return !up, err
	}
	return up, err
}

func (m *waitFor) fileReady(n node.Reader, ret map[string]any) (bool, error) {
	info, err := n.Stat(m.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, fmt.Errorf("looking at %s: %w", m.Path, err)
	}
	if m.SearchRegex != "" {
		f, err := n.Open(m.Path)
		if err != nil {
			return false, nil
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxAnswer))
		if err != nil || !m.search(text, ret) {
			return false, nil
		}
	}
	ret["state"], ret["mode"], ret["size"] = "file", fmt.Sprintf("%04o", info.Mode), info.Size
	if info.IsDir() {
		ret["state"] = "directory"
	}
	ret["uid"], ret["gid"], ret["owner"], ret["group"] = info.UID, info.GID, info.Owner, info.Group
	return true, nil
}

// search looks for the pattern and keeps its groups.
func (m *waitFor) search(text []byte, ret map[string]any) bool {
	re, err := pyre.Compile(m.SearchRegex, pyre.Multiline)
	if err != nil {
		return false // refused by Validate
	}
	found, err := re.Search(string(text))
	if found == nil || err != nil {
		return false
	}
	groups, named := []any{}, map[string]any{}
	for i := range re.NumGroups() {
		var v any
		if g, ok := found.Group(i + 1); ok {
			v = cleanText([]byte(g))
		}
		groups = append(groups, v)
	}
	for name, i := range re.GroupNames() {
		named[name] = groups[i-1]
	}
	ret["match_groups"], ret["match_groupdict"] = groups, named
	return true
}

// portReady connects, and reads what the server says when there is a pattern.
func (m *waitFor) portReady(ctx context.Context, ret map[string]any) (bool, error) {
	limit := time.Duration(m.ConnectTimeout) * time.Second
	d := net.Dialer{Timeout: limit}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(m.Host, strconv.Itoa(m.Port)))
	if err != nil {
		return false, ctx.Err()
	}
	defer conn.Close()
	if m.SearchRegex == "" || m.State == "stopped" || m.State == "absent" {
		return true, nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return false, nil // closed by now: not reached yet
	}
	var text []byte
	buf := make([]byte, 4096)
	for len(text) < 1<<20 {
		k, err := conn.Read(buf)
		text = append(text, buf[:k]...)
		if m.search(text, ret) {
			return true, nil
		}
		if err != nil {
			break
		}
	}
	return false, nil
}

func (m *waitFor) timeoutMsg() string {
	if m.Msg != "" {
		return m.Msg
	}
	down := m.State == "stopped" || m.State == "absent"
	switch addr := fmt.Sprintf("%s:%d", m.Host, m.Port); {
	case m.State == "drained":
		return "Timeout when waiting for " + addr + " to drain"
	case m.Path != "" && down:
		return "Timeout when waiting for " + m.Path + " to be absent."
	case m.Path != "" && m.SearchRegex != "":
		return "Timeout when waiting for search string " + m.SearchRegex + " in " + m.Path
	case m.Path != "":
		return "Timeout when waiting for file " + m.Path
	case down:
		return "Timeout when waiting for " + addr + " to stop."
	case m.SearchRegex != "":
		return "Timeout when waiting for search string " + m.SearchRegex + " in " + addr
	default:
		return "Timeout when waiting for " + addr
	}
}

// tcpStates are the kernel's numbers of a connection's states.
var tcpStates = map[string]string{
	"ESTABLISHED": "01", "SYN_SENT": "02", "SYN_RECV": "03", "FIN_WAIT1": "04", "FIN_WAIT2": "05", "TIME_WAIT": "06",
}

// activeConnections counts the connections to the port, but those of exclude_hosts.
func (m *waitFor) activeConnections(ctx context.Context, n node.Reader) (int, error) {
	local, err := m.hostAddrs(ctx, []string{m.Host})
	if err != nil {
		return 0, err
	}
	excluded, err := m.hostAddrs(ctx, m.ExcludeHosts)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := n.ReadFile(file)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(b), "\n") {
			w := strings.Fields(line)
			if len(w) < 4 || !m.stateCounts(w[3]) {
				continue
			}
			ip, port := parseProcAddr(w[1])
			remote, _ := parseProcAddr(w[2])
			if port == m.Port && (local[ip] || local["0.0.0.0"] || local["::"]) && !excluded[remote] {
				count++
			}
		}
	}
	return count, nil
}

func (m *waitFor) stateCounts(number string) bool {
	for _, s := range m.ActiveConnectionStates {
		if tcpStates[s] == number {
			return true
		}
	}
	return false
}

func (m *waitFor) hostAddrs(ctx context.Context, hosts []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			out[ip.String()] = true
			continue
		}
		addrs, err := net.DefaultResolver.LookupHost(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("resolving %s: %w", h, err)
		}
		for _, a := range addrs {
			out[a] = true
		}
	}
	return out, nil
}

// parseProcAddr reads ADDRESS:PORT as /proc/net/tcp has it: words of four
// bytes in the machine's order.
func parseProcAddr(s string) (string, int) {
	hexIP, hexPort, _ := strings.Cut(s, ":")
	port, err := strconv.ParseUint(hexPort, 16, 16)
	if err != nil || len(hexIP)%8 != 0 {
		return "", 0
	}
	var ip net.IP
	for i := 0; i < len(hexIP); i += 8 {
		w, err := strconv.ParseUint(hexIP[i:i+8], 16, 32)
		if err != nil {
			return "", 0
		}
		ip = append(ip, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return ip.String(), int(port)
}
