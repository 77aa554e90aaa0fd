package modules

import "testing"

func TestPipSatisfies(t *testing.T) {
	for _, c := range []struct {
		version, specs string
		want           bool
	}{
		{"1.10", "", true}, {"1.10", ">=1.9", true}, {"1.10", "<1.9", false}, {"1.0", "==1.0.0", true}, {"1.0", "==1.*", true},
		{"1.0rc1", ">=1.0", false}, {"1.0.post1", ">1.0", true}, {"1.0.dev3", "<1.0a1", true}, {"2.3.4", "~=2.2", true}, {"3.0", "~=2.2", false},
		{"2.2.9", "~=2.2.1", true}, {"1.0", "!=1.0,>0", false}, {"1.0+local", "==1.0", true}, {"odd", "===odd", true}, {"odd", "==odd", true},
		{"odd", ">=1", false}, {"1.0", ">=odd", false}, {"2.0", ">=1,<2", false},
	} {
		if got := pipSatisfies(c.version, c.specs); got != c.want {
			t.Errorf("%s %s: %v", c.version, c.specs, got)
		}
	}
}

func FuzzPipVersion(f *testing.F) {
	f.Add("1.0rc1", ">=1,<2")
	f.Fuzz(func(t *testing.T, version, specs string) { pipSatisfies(version, specs) })
}
