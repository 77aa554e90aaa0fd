package modules

import (
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.locale_gen",
		New:  func() any { return &localeGen{State: "present"} },
	})
}

// localeGen generates a locale, or takes it away.
type localeGen struct {
	Name  string `arg:"name,required"`
	State string `arg:"state" choices:"absent,present"`
}

const (
	localeGenFile    = "/etc/locale.gen"
	localesSupported = "/usr/share/i18n/SUPPORTED"
)

// localeLine reads "name charset", which may be commented out.
func localeLine(line string) (name, charset string, active, ok bool) {
	text := strings.TrimSpace(line)
	active = !strings.HasPrefix(text, "#")
	f := strings.Fields(strings.TrimLeft(text, "# \t"))
	if len(f) != 2 {
		return "", "", false, false
	}
	return f[0], f[1], active, true
}

// Check compares what locale -a lists with the wanted state.
func (m *localeGen) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"name": m.Name, "msg": "OK"}}
	before, exists, err := readText(n, localeGenFile)
	if err != nil {
		return p, err
	}
	if !exists {
		return p, notSure(n, fault.New("%s is missing. Is the package \"locales\" installed?", localeGenFile).WithHint("install the package locales before"))
	}
	charset, err := m.charset(n, before)
	if err != nil {
		return p, err
	}
	there, err := m.generated(ctx, n)
	if err != nil || there == (m.State == "present") {
		return p, err
	}
	after := m.edit(before, charset)
	if after != before {
		p.Changes = append(p.Changes, rewriteText(localeGenFile, before, after, true, 0o644))
	}
	p.Changes = append(p.Changes, module.Change{What: "generate the locales", Quiet: after != before, Apply: func(ctx context.Context, w node.Writer) error {
		w.Assume("locale", m.Name, m.State)
		return mustRun(ctx, w, node.Command{Argv: []string{"locale-gen"}})
	}})
	return p, nil
}

// charset looks the locale up among those that the node could have.
func (m *localeGen) charset(n node.Reader, gen string) (string, error) {
	supported, _, err := readText(n, localesSupported)
	if err != nil {
		return "", err
	}
	var names []string
	for _, line := range slices.Concat(textLines(gen), textLines(supported)) {
		name, charset, _, ok := localeLine(line)
		if ok && name == m.Name {
			return charset, nil
		}
		if ok {
			names = append(names, name)
		}
	}
	return "", notSure(n, fault.New("The locale you've entered is not available on your system.").WithHint("%s", fault.DidYouMean(m.Name, names)))
}

// generated says whether locale -a lists it, which writes UTF-8 as utf8.
func (m *localeGen) generated(ctx context.Context, n node.Reader) (bool, error) {
	if s, ok := n.Assumed("locale", m.Name); ok {
		return s == "present", nil
	}
	c := node.Command{Argv: []string{"locale", "-a"}, Env: map[string]string{"LC_ALL": "C"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return false, startFailure(err, c)
	}
	want := plainLocale(m.Name)
	return slices.ContainsFunc(textLines(cleanText(res.Stdout)), func(l string) bool { return plainLocale(l) == want }), nil
}

// plainLocale writes the charset as glibc does: small letters and digits only.
func plainLocale(name string) string {
	name, modifier, hasModifier := strings.Cut(strings.TrimSpace(name), "@")
	lang, charset, hasCharset := strings.Cut(name, ".")
	if hasCharset {
		lang += "." + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(charset))
	}
	if hasModifier {
		lang += "@" + modifier
	}
	return lang
}

// edit brings the locale's line into effect, or comments it out.
func (m *localeGen) edit(text, charset string) string {
	lines := textLines(text)
	found := false
	for i, line := range lines {
		name, set, active, ok := localeLine(line)
		if !ok || name != m.Name {
			continue
		}
		found = true
		if m.State == "absent" && active {
			lines[i] = "# " + name + " " + set
		}
		if m.State == "present" && !active {
			lines[i] = name + " " + set
		}
	}
	if !found && m.State == "present" {
		lines = append(lines, m.Name+" "+charset)
	}
	return linesText(lines)
}
