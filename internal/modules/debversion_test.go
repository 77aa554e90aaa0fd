package modules

import (
	"os/exec"
	"testing"
)

func TestCompareDebVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.1", -1}, {"1.10", "1.9", 1}, {"1:0.9", "1.1", 1},
		{"1.0~rc1", "1.0", -1}, {"1.0~~", "1.0~", -1}, {"1.0~~a", "1.0~", -1}, {"1.0", "1.0-0", 0},
		{"1.0-1", "1.0-1ubuntu1", -1}, {"1.0a", "1.0+b", -1}, {"1.0.", "1.0a", 1}, {"0:1", "1", 0},
		{"00123", "123", 0}, {"2.36-9+deb12u10", "2.36-9+deb12u9", 1}, {"1-2-3", "1-2-4", -1},
		{"9999999999999999999999", "10000000000000000000000", -1}, {"", "0", 0}, {"", "~", 1},
		{"5:27.3.1-1~ubuntu.24.04~noble", "5:27.3.1-1~ubuntu.24.04~jammy", 1},
	} {
		if got := sign(compareDebVersions(c.a, c.b)); got != c.want {
			t.Errorf("compareDebVersions(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := sign(compareDebVersions(c.b, c.a)); got != -c.want {
			t.Errorf("compareDebVersions(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// TestCompareDebVersionsAsDpkg asks dpkg itself where there is one.
func TestCompareDebVersionsAsDpkg(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Log("no dpkg on this machine: the table above stands alone")
		return
	}
	versions := []string{"1.0", "1.0-1", "1.0~rc1", "1.0~rc1-1", "1:0.1", "1.0+dfsg-1", "1.0a", "1.0.1", "1.00", "1.0-1~bpo12+1", "1.0-1+b1", "1.0-1.1", "10", "2"}
	for _, a := range versions {
		for _, b := range versions {
			want := 0
			if exec.Command(dpkg, "--compare-versions", a, "lt", b).Run() == nil {
				want = -1
			} else if exec.Command(dpkg, "--compare-versions", a, "gt", b).Run() == nil {
				want = 1
			}
			if got := sign(compareDebVersions(a, b)); got != want {
				t.Errorf("compareDebVersions(%q, %q) = %d, dpkg says %d", a, b, got, want)
			}
		}
	}
}

func FuzzCompareDebVersions(f *testing.F) {
	f.Add("1.0-1", "1:1.0~rc1")
	f.Fuzz(func(t *testing.T, a, b string) {
		if sign(compareDebVersions(a, b)) != -sign(compareDebVersions(b, a)) {
			t.Errorf("%q and %q are not ordered the same both ways", a, b)
		}
		if compareDebVersions(a, a) != 0 {
			t.Errorf("%q differs from itself", a)
		}
	})
}

func sign(i int) int {
	switch {
	case i < 0:
		return -1
	case i > 0:
		return 1
	}
	return 0
}
