package template

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// generalPlugins are those of collections.
var generalPlugins = map[string]plugin{
	"filetree":        lookFileTree,
	"dependent":       lookDependent,
	"merge_variables": lookMergeVariables,
	"random_string":   lookRandomString,
	"get_path":        asFilter(getPath),
	"to_paths":        asFilter(toPaths),
	"index_of":        asFilter(indexOf),
}

// asFilter makes a lookup of a filter: the first term is the value.
func asFilter(f jinja.Filter) plugin {
	return func(l *lookup) ([]any, error) {
		if len(l.terms) == 0 {
			return nil, refuse(l.c, "needs a value")
		}
		c := *l.c
		c.Args = l.terms[1:]
		v, err := f(&c, l.terms[0])
		if list, ok := v.(*jinja.List); ok && err == nil {
			return list.Items, nil
		}
		return []any{v}, err
	}
}

// lookFileTree lists what lies below directories of the controller, for
// with_filetree: of files found under several of them the first counts.
func lookFileTree(l *lookup) ([]any, error) {
	a := l.options("exclude")
	exclude := a.str("exclude", "")
	if a.err != nil {
		return nil, a.err
	}
	var leaveOut func(name string) bool
	if exclude != "" {
		p, err := regexOf(l.c, exclude, false, false)
		if err != nil {
			return nil, err
		}
		leaveOut = func(name string) bool { m, _ := p.Match(name); return m != nil }
	}
	var out []any
	seen := map[string]bool{}
	for _, t := range flat(nil, l.terms, 1, false) {
		root, err := l.find("files", jinja.Str(t))
		if err != nil {
			continue // as Ansible: nothing there, nothing to copy
		}
		root = filepath.Clean(root)
		err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			rel, relErr := filepath.Rel(root, p)
			switch {
			case err != nil || relErr != nil:
				return firstError(err, relErr)
			case rel == ".", seen[rel]:
				return l.ctx.Err()
			case leaveOut != nil && leaveOut(d.Name()):
				return nil
			}
			entry, err := treeEntry(root, rel)
			if err != nil || entry == nil {
				return err
			}
			seen[rel] = true
			out = append(out, entry)
			return l.ctx.Err()
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, refuse(l.c, "%v", err)
		}
	}
	return out, nil
}

// treeEntry describes one file, directory or link; anything else gives nil.
func treeEntry(root, rel string) (*jinja.Dict, error) {
	full := filepath.Join(root, rel)
	st, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	d := jinja.NewDict("root", root+"/", "path", rel)
	switch mode := st.Mode(); {
	case mode.IsDir():
		d.Set("state", "directory")
	case mode.IsRegular():
		d.Set("state", "file")
		d.Set("src", full)
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return nil, err
		}
		d.Set("state", "link")
		d.Set("src", target)
	default:
		return nil, nil
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("%s: no owner known", full)
	}
	owner, group := strconv.Itoa(int(sys.Uid)), strconv.Itoa(int(sys.Gid))
	d.Set("uid", int64(sys.Uid))
	d.Set("gid", int64(sys.Gid))
	d.Set("owner", int64(sys.Uid))
	if u, err := user.LookupId(owner); err == nil {
		d.Set("owner", u.Username)
	}
	d.Set("group", int64(sys.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		d.Set("group", g.Name)
	}
	d.Set("mode", fmt.Sprintf("%#04o", sys.Mode&0o7777))
	d.Set("size", st.Size())
	d.Set("mtime", float64(sys.Mtim.Sec)+1e-9*float64(sys.Mtim.Nsec)) // rounded as Python does
	d.Set("ctime", float64(sys.Ctim.Sec)+1e-9*float64(sys.Ctim.Nsec))
	return d, nil
}

// lookDependent nests loops whose lists may depend on the items chosen before:
// each term is {name: expression}, and the expression sees item.name.
func lookDependent(l *lookup) ([]any, error) {
	var out []any
	var choose func(level int, item *jinja.Dict) error
	choose = func(level int, item *jinja.Dict) error {
		if level == len(l.terms) {
			if len(out) >= resultLimit {
				return refuse(l.c, "the result has more than %d elements", resultLimit)
			}
			out = append(out, item)
			return nil
		}
		d, err := mapping(l.c, l.terms[level])
		if err != nil {
			return err
		}
		for name, raw := range d.All() {
			v := raw
			if src, ok := raw.(string); ok {
				s := l.s.With(map[string]any{"item": item})
				if v, err = s.Eval(l.ctx, src, l.c.Place); err != nil {
					return err
				}
			}
			if choice, ok := v.(*jinja.Dict); ok {
				pairs := jinja.NewList()
				for k, x := range choice.All() {
					pairs.Items = append(pairs.Items, jinja.NewDict("key", k, "value", x))
				}
				v = pairs
			}
			items, err := elements(l.c, v)
			if err != nil {
				return err
			}
			for _, x := range items {
				next := item.Clone()
				next.Set(name, x)
				if err := choose(level+1, next); err != nil {
					return err
				}
			}
			break // a term has one name
		}
		return nil
	}
	return out, choose(0, jinja.NewDict())
}

// lookMergeVariables merges the lists or dictionaries of all variables whose
// names fit a pattern.
func lookMergeVariables(l *lookup) ([]any, error) {
	a := l.options("pattern_type", "initial_value", "override", "groups")
	kind := a.str("pattern_type", "regex")
	known := []string{"prefix", "suffix", "regex"}
	if a.err == nil && !slices.Contains(known, kind) {
		return nil, refuse(l.c, "pattern_type is %q", kind).(*fault.Error).WithHint("%s", fault.DidYouMean(kind, known))
	}
	if a.err != nil {
		return nil, a.err
	}
	override := a.str("override", "error")
	if known := []string{"error", "warn", "ignore"}; !slices.Contains(known, override) {
		return nil, refuse(l.c, "override is %q", override).(*fault.Error).WithHint("%s", fault.DidYouMean(override, known))
	}
	var out []any
	for _, t := range l.terms {
		pattern := jinja.Str(t)
		switch kind {
		case "prefix":
			pattern = "^" + regexp.QuoteMeta(pattern)
		case "suffix":
			pattern = regexp.QuoteMeta(pattern) + "$"
		}
		p, err := regexOf(l.c, pattern, false, false)
		if err != nil {
			return nil, err
		}
		merged := a.value("initial_value", nil)
		for _, name := range l.s.names() {
			if m, _ := p.Search(name); m == nil {
				continue
			}
			if merged, err = l.mergeVariable(merged, name, override); err != nil {
				return nil, err
			}
		}
		out = append(out, merged)
	}
	return out, nil
}

func (l *lookup) mergeVariable(merged any, name, override string) (any, error) {
	v, _, err := l.vars.Lookup(l.ctx, name)
	if err == nil {
		v, err = jinja.Materialize(l.ctx, v)
	}
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *jinja.Dict:
		old, ok := merged.(*jinja.Dict)
		if merged == nil {
			return x, nil
		}
		if key := clash(old, x, ""); ok && key != "" && override != "ignore" {
			if override == "error" {
				return nil, refuse(l.c, "the key %s has another value in %s", key, name)
			}
			l.s.engine.warnOnce(fmt.Sprintf("merge_variables: the value of the key %s is overwritten by that in %s", key, name))
		}
		if ok {
			return merger{c: l.c, recursive: true, lists: "append"}.merge(old, x)
		}
	case *jinja.List:
		old, ok := merged.(*jinja.List)
		if merged == nil {
			return x, nil
		}
		if ok {
			return jinja.NewList(slices.Concat(old.Items, x.Items)...), nil
		}
	default:
		return nil, refuse(l.c, "%s is no list or dictionary", name)
	}
	return nil, refuse(l.c, "%s cannot be merged: %s and %s", name, jinja.TypeName(merged), jinja.TypeName(v))
}

// clash finds a key at which two dictionaries have values that cannot be merged.
func clash(old, new *jinja.Dict, at string) string {
	if old == nil {
		return ""
	}
	for k, x := range new.All() {
		y, ok := old.Get(k)
		key := at + jinja.Str(k)
		oldDict, isDict := y.(*jinja.Dict)
		newDict, bothDicts := x.(*jinja.Dict)
		switch {
		case !ok || isList(x) && isList(y) || jinja.Equal(x, y):
		case isDict && bothDicts:
			if found := clash(oldDict, newDict, key+"."); found != "" {
				return found
			}
		default:
			return key
		}
	}
	return ""
}

// lookRandomString draws characters of the kinds that are asked for, with at
// least min_X of each kind X.
func lookRandomString(l *lookup) ([]any, error) {
	a := l.options("length", "upper", "lower", "numbers", "special", "min_upper", "min_lower", "min_numeric", "min_special",
		"override_special", "override_all", "ignore_similar_chars", "similar_chars", "base64")
	special := a.str("override_special", punctuation)
	kinds := []struct {
		on    bool
		least int
		chars string
	}{
		{a.flag("upper", true), a.num("min_upper", 0), letters[26:]}, {a.flag("lower", true), a.num("min_lower", 0), letters[:26]},
		{a.flag("numbers", true), a.num("min_numeric", 0), decimals}, {a.flag("special", true), a.num("min_special", 0), special},
	}
	length, all := a.num("length", 8), a.str("override_all", "")
	similar := a.str("similar_chars", "il1LoO0")
	if !a.flag("ignore_similar_chars", false) {
		similar = ""
	}
	if a.err != nil {
		return nil, a.err
	}
	without := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(similar, r) {
				return -1
			}
			return r
		}, s)
	}
	text := ""
	for _, k := range kinds {
		if all != "" {
			break
		}
		part, err := randomText(k.least, without(k.chars))
		if err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		text += part
	}
	if all == "" {
		for _, k := range kinds {
			if k.on {
				all += k.chars
			}
		}
	}
	rest, err := randomText(length-len(text), without(all))
	if err != nil {
		return nil, refuse(l.c, "%v", err)
	}
	items := []any{}
	for _, r := range text + rest {
		items = append(items, string(r))
	}
	randomFrom(nil).shuffle(items)
	text = ""
	for _, x := range items {
		text += x.(string)
	}
	if a.flag("base64", false) {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return []any{text}, nil
}
