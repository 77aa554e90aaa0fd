package modules

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSplitArgv(t *testing.T) {
	for line, want := range map[string][]string{
		"":                        nil,
		"  a  b\tc\n":             {"a", "b", "c"},
		`a 'b c' "d e"`:           {"a", "b c", "d e"},
		`a\ b "c\"d" 'e\f' "g\h"`: {"a b", `c"d`, `e\f`, `g\h`},
		`x'y'"z"`:                 {"xyz"},
		`'' ""`:                   {"", ""},
		`echo "é ü" # no comment`: {"echo", "é ü", "#", "no", "comment"},
	} {
		if got, err := splitArgv(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %q, %v", line, got, err)
		}
	}
	for _, line := range []string{`a 'b`, `a "b`, `a\`} {
		if got, err := splitArgv(line); err == nil {
			t.Errorf("%q gives %q", line, got)
		}
	}
}

func TestSplitLines(t *testing.T) {
	for text, want := range map[string][]any{
		"": {}, "a": {"a"}, "a\n": {"a"}, "a\n\nb": {"a", "", "b"}, "a\r\nb\rc": {"a", "b", "c"}, "\n": {""}, "a\u2028b\u0085c\fd": {"a", "b", "c", "d"},
	} {
		if got := splitLines(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestExpandVars(t *testing.T) {
	env := func(name string) string { return map[string]string{"A": "1", "LONG_2": "x"}[name] }
	for text, want := range map[string]string{
		"$A ${A}b $LONG_2.": "1 1b x.", "$NO ${NO} $ $1 ${A": "$NO ${NO} $ $1 ${A", "": "",
	} {
		if got := expandVars(text, env); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestPythonDelta(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0:00:00", 5618 * time.Microsecond: "0:00:00.005618", 3661 * time.Second: "1:01:01",
		25 * time.Hour: "1 day, 1:00:00", 49*time.Hour + time.Microsecond: "2 days, 1:00:00.000001",
	} {
		if got := pythonDelta(d); got != want {
			t.Errorf("%v gives %q, want %q", d, got, want)
		}
	}
}

func TestSysctlPath(t *testing.T) {
	for name, want := range map[string]string{
		"vm.swappiness": "vm/swappiness", "net.ipv4.conf.eth0/100.forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"net/ipv4/conf/eth0.100/forwarding": "net/ipv4/conf/eth0.100/forwarding",
	} {
		if got := sysctlPath(name); got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
	}
}

func TestSumInList(t *testing.T) {
	for text, want := range map[string]string{
		"AB  x.tar\ncd  y.tar\n": "ab", "ab *./dir/x.tar": "ab", "SHA256 (x.tar) = AB": "ab", "ab": "ab", "ab\ncd": "", "ab  y.tar": "", "": "",
	} {
		if got := sumInList(text, "x.tar"); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

// FuzzParsers feeds everything that reads what other programs wrote: nothing
// may panic, and what was written must be read back.
func FuzzParsers(f *testing.F) {
	for _, s := range []string{
		"a 'b c' \"d\" \\e $A ${B} ~x/y", "22 1 8:1 / / rw - ext4 /dev/sda1 rw,ro", "UUID=1 / ext4 defaults 0 1\nx y z", "[a]\nb = c\n d\n", "{\"a\": 1}",
		"a.b = 1\n-c/d=2\n;x", "#Ansible: x\n* * * * * y\nA=\"b\"", "0100007F:1F90", "a\u2028b\r\n", `\040\09\777`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = splitArgv(s)
		_ = expandVars(s, func(name string) string { return strings.ToUpper(name) })
		if joined := len(splitLines(s)); joined > len(s) {
			t.Errorf("%d lines of %d bytes", joined, len(s))
		}
		_ = parseMountinfo(s)
		_, _ = parseINI(s)
		_, _ = decodeJSON([]byte(s))
		_, _ = parseProcAddr(s)
		_ = sumInList(s, "x")
		e := fstabEntry{Src: "/dev/x", Path: "/mnt/x", FSType: "ext4", Opts: "defaults", Dump: "0", Passno: "0"}
		once := setFstab(s, e)
		if twice := setFstab(once, e); twice != once {
			t.Errorf("fstab %q, then %q", once, twice)
		}
		if setSysctl := editSysctl(s, "a.b", "1", true); editSysctl(setSysctl, "a.b", "1", true) != setSysctl {
			t.Errorf("sysctl changes again: %q", setSysctl)
		}
		m := cron{Name: "x", Job: "y", Minute: "*", Hour: "*", Day: "*", Month: "*", Weekday: "*"}
		lines := m.setJob(textLines(s))
		if again := m.setJob(lines); !reflect.DeepEqual(lines, again) {
			t.Errorf("cron %q, then %q", lines, again)
		}
		if escaped := unescapeOctal(escapeBlank(s)); !strings.Contains(s, `\`) && escaped != s {
			t.Errorf("%q comes back as %q", s, escaped)
		}
	})
}
