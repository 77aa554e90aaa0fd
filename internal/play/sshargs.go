package play

import (
	"strconv"
	"strings"
	"time"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
)

// sshArguments reads what inventories put into ansible_ssh_common_args. ssh
// itself is not run, so only what has a meaning here is taken; what would
// change how a host is reached and is not known is an error.
func sshArguments(t *connection.Target, args string) error {
	words := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(args))
	for i := 0; i < len(words); i++ {
		w := words[i]
		value := func(flag string) string {
			if len(w) > len(flag) {
				return w[len(flag):]
			}
			i++
			if i < len(words) {
				return words[i]
			}
			return ""
		}
		switch {
		case strings.HasPrefix(w, "-o"):
			k, v, _ := strings.Cut(value("-o"), "=")
			if err := sshOption(t, k, v); err != nil {
				return err
			}
		case strings.HasPrefix(w, "-J"):
			t.ProxyJump = value("-J")
		case strings.HasPrefix(w, "-i"):
			t.KeyFiles = append(t.KeyFiles, expandHome(value("-i")))
		case strings.HasPrefix(w, "-F"):
			t.SSHConfig = expandHome(value("-F"))
		case strings.HasPrefix(w, "-p"):
			n, err := strconv.Atoi(value("-p"))
			if err != nil {
				return fault.New("-p wants a port number")
			}
			t.Port = n
		case w == "-C", w == "-q", w == "-4", w == "-6", w == "-tt", w == "-t", w == "-A", w == "-x":
		default:
			return fault.New("%q is not understood", w).WithHint("put it into ~/.ssh/config; -o ProxyJump, -J, -i, -p, -F are read here")
		}
	}
	return nil
}

func sshOption(t *connection.Target, k, v string) error {
	switch strings.ToLower(k) {
	case "proxyjump":
		t.ProxyJump = v
	case "identityfile":
		t.KeyFiles = append(t.KeyFiles, expandHome(v))
	case "userknownhostsfile":
		if v != "/dev/null" {
			t.KnownHosts = append(t.KnownHosts, expandHome(v))
		}
	case "stricthostkeychecking":
		switch v {
		case "no", "off", "accept-new":
			t.HostKey = connection.HostKeyAcceptNew
		case "yes":
			t.HostKey = connection.HostKeyStrict
		case "ask":
			t.HostKey = connection.HostKeyAsk
		}
	case "connecttimeout":
		n, err := strconv.Atoi(v)
		if err != nil {
			return fault.New("ConnectTimeout wants seconds")
		}
		t.Timeout = time.Duration(n) * time.Second
	case "port":
		n, err := strconv.Atoi(v)
		if err != nil {
			return fault.New("Port wants a number")
		}
		t.Port = n
	case "controlmaster", "controlpersist", "controlpath", "preferredauthentications", "serveraliveinterval", "serveralivecountmax",
		"compression", "loglevel", "batchmode", "identitiesonly", "forwardagent", "gssapiauthentication", "kbdinteractiveauthentication", "passwordauthentication":
		// settings of ssh's own connection sharing and manners: ours are fixed
	default:
		return fault.New("-o %s is not understood", k).WithHint("put it into ~/.ssh/config")
	}
	return nil
}
