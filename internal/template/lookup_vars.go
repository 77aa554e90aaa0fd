package template

import (
	"errors"

	"mageprov/internal/jinja"
)

// varPlugins read variables and the environment.
var varPlugins = map[string]plugin{
	"env":                 lookEnv,
	"vars":                lookVars,
	"varnames":            lookVarNames,
	"config":              lookConfig,
	"inventory_hostnames": lookHostnames,
}

func lookEnv(l *lookup) ([]any, error) {
	a := l.options("default")
	if a.err != nil {
		return nil, a.err
	}
	var out []any
	for _, t := range l.terms {
		v, ok := l.s.engine.opts.Env(jinja.Str(t))
		switch {
		case ok:
			out = append(out, v)
		case a.has("default"):
			if u, isUndef := a.vals["default"].(*jinja.Undefined); isUndef {
				return nil, u.Err()
			}
			out = append(out, a.vals["default"])
		default:
			out = append(out, "")
		}
	}
	return out, nil
}

func lookVars(l *lookup) ([]any, error) {
	a := l.options("default")
	if a.err != nil {
		return nil, a.err
	}
	var out []any
	for _, t := range l.terms {
		name, ok := t.(string)
		if !ok {
			return nil, refuse(l.c, "the name of a variable must be text, not %s", jinja.TypeName(t))
		}
		v, ok, err := l.vars.Lookup(l.ctx, name)
		switch {
		case err != nil:
			return nil, err
		case ok:
			out = append(out, v)
		case a.has("default"):
			out = append(out, a.vals["default"])
		default:
			u := &jinja.Undefined{Name: name, Msg: "no variable found with this name: " + name, Place: l.c.Place}
			return nil, u.Err()
		}
	}
	return out, nil
}

// lookVarNames lists the names that match each pattern.
func lookVarNames(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		p, err := regexOf(l.c, jinja.Str(t), false, false)
		if err != nil {
			return nil, err
		}
		for _, name := range l.s.names() {
			if m, _ := p.Search(name); m != nil {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// settings are the values of Ansible's configuration that playbooks ask for.
var settings = map[string]any{
	"DEFAULT_BECOME_USER": "root", "DEFAULT_BECOME_METHOD": "sudo", "DEFAULT_TIMEOUT": int64(10), "DEFAULT_FORKS": int64(5),
	"DEFAULT_REMOTE_USER": nil, "DEFAULT_REMOTE_PORT": nil, "DEFAULT_ROLES_PATH": nil, "COLOR_OK": "green", "COLOR_CHANGED": "yellow",
	"COLOR_ERROR": "red", "COLOR_SKIP": "cyan", "COLOR_WARN": "bright purple", "RETRY_FILES_SAVE_PATH": nil, "DEFAULT_HASH_BEHAVIOUR": "replace",
}

func lookConfig(l *lookup) ([]any, error) {
	a := l.options("on_missing", "plugin_type", "plugin_name", "show_origin")
	missing := a.str("on_missing", "error")
	if a.err != nil {
		return nil, a.err
	}
	var out []any
	for _, t := range l.terms {
		v, ok := settings[jinja.Str(t)]
		switch {
		case ok:
			out = append(out, v)
		case missing == "skip":
		case missing == "warn":
			l.s.engine.warnOnce("unable to find setting " + jinja.Str(t))
		default:
			return nil, refuse(l.c, "unable to find setting %s", jinja.Str(t))
		}
	}
	return out, nil
}

// lookHostnames resolves patterns of group and host names joined by : or , with
// & for "and" and ! for "not".
func lookHostnames(l *lookup) ([]any, error) {
	v, ok, err := l.vars.Lookup(l.ctx, "groups")
	if err != nil {
		return nil, err
	}
	if v, err = jinja.Materialize(l.ctx, v); err != nil {
		return nil, err
	}
	groups, isDict := v.(*jinja.Dict)
	if !ok || !isDict {
		return nil, errors.New("inventory_hostnames: the variable groups is not there")
	}
	var terms []any
	for _, t := range l.terms {
		for _, part := range splitPatterns(jinja.Str(t)) {
			terms = append(terms, part)
		}
	}
	return matchHosts(groups, terms), nil
}

func matchHosts(groups *jinja.Dict, terms []any) []any {
	var out []any
	for pass := range 3 { // names first, then what narrows them
		for _, t := range terms {
			name := t.(string)
			kind := 0
			switch name[0] {
			case '&':
				kind, name = 1, name[1:]
			case '!':
				kind, name = 2, name[1:]
			}
			if kind != pass {
				continue
			}
			hosts := newSet(hostsOf(groups, name))
			switch kind {
			case 0:
				out = unionOf(newSet(out), hosts)
			default:
				out = newSet(out).keep(hosts, kind == 1)
			}
		}
	}
	return out
}
