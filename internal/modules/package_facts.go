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
		Name: "ansible.builtin.package_facts",
		New:  func() any { return &packageFacts{Manager: []string{"auto"}, Strategy: "first"} },
	})
}

// packageFacts gives the installed packages as facts.
type packageFacts struct {
	Manager  []string `arg:"manager" choices:"apk,apt,auto,dnf,dnf5,openbsd_pkg,pacman,pkg,pkg5,pkg_info,pkgng,portage,rpm,yum,zypper"`
	Strategy string   `arg:"strategy" choices:"all,first"`
}

// Check reads dpkg's status; there is nothing to change.
func (m *packageFacts) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	wanted := false
	for _, name := range m.Manager {
		wanted = wanted || name == "auto" || name == "apt"
	}
	if !wanted {
		return module.Plan{}, fault.New("package manager %s is not supported", strings.Join(m.Manager, ", ")).WithHint("use manager: auto or apt")
	}
	db, err := readDpkg(n)
	if err != nil {
		return module.Plan{}, fault.New("this node has no dpkg, so its packages are not known").Because(err)
	}
	native := ""
	if p, ok := db.Find("dpkg"); ok {
		native = p.Arch
	}
	var names []string
	for _, p := range db.order {
		if p.Installed() {
			names = append(names, factName(p, native))
		}
	}
	origins, err := packageOrigins(ctx, n, names)
	if err != nil {
		return module.Plan{}, err
	}
	packages := map[string]any{}
	for _, p := range db.order {
		if !p.Installed() {
			continue
		}
		name := factName(p, native)
		list, _ := packages[name].([]any)
		packages[name] = append(list, map[string]any{
			"name": name, "version": p.Version, "arch": p.Arch, "category": p.Section, "origin": origins[name], "source": "apt",
		})
	}
	return module.Plan{Return: map[string]any{"ansible_facts": map[string]any{"packages": packages}}}, nil
}

// factName is apt's name of a package: a foreign architecture is part of it.
func factName(p *dpkgPackage, native string) string {
	if native == "" || p.Arch == native || p.Arch == "all" {
		return p.Name
	}
	return p.Name + ":" + p.Arch
}

// packageOrigins asks apt which vendor each installed version comes from. Where
// there are no package lists nothing is known, and nothing is asked.
func packageOrigins(ctx context.Context, n node.Reader, names []string) (map[string]string, error) {
	if len(names) == 0 || listsPrint(n) == "" {
		return nil, nil
	}
	vendors, err := n.Query(ctx, node.Command{Argv: []string{"apt-cache", "policy"}, Env: aptEnv()})
	if err != nil {
		return nil, err
	}
	tables, err := n.Query(ctx, node.Command{Argv: append([]string{"apt-cache", "policy"}, names...), Env: aptEnv()})
	if err != nil {
		return nil, err
	}
	return parsePolicy(string(vendors.Stdout), string(tables.Stdout)), nil
}

// parsePolicy joins the two forms of apt-cache policy: sources with their
// vendors, and for each package the sources of its installed version.
func parsePolicy(vendors, tables string) map[string]string {
	vendor := map[string]string{}
	source := ""
	for _, line := range strings.Split(vendors, "\n") {
		text := strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(text, "release "); ok {
			for _, kv := range strings.Split(rest, ",") {
				if o, ok := strings.CutPrefix(kv, "o="); ok {
					vendor[source] = o
				}
			}
		} else if _, rest, ok := strings.Cut(text, " "); ok && !strings.HasPrefix(text, "origin ") {
			source = rest
		}
	}
	origins := map[string]string{}
	name, installed := "", false
	for _, line := range strings.Split(tables, "\n") {
		switch {
		case line != "" && line[0] != ' ':
			name, installed = strings.TrimSuffix(line, ":"), false
		case strings.HasPrefix(line, " *** "):
			installed = true
		case strings.HasPrefix(line, "        ") && installed:
			_, src, _ := strings.Cut(strings.TrimSpace(line), " ")
			if o, ok := vendor[src]; ok && origins[name] == "" {
				origins[name] = o
			}
		case strings.HasPrefix(line, "     "):
			installed = false
		}
	}
	return origins
}
