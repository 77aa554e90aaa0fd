package play

import (
	"context"
	"strings"
	"sync"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/vars"
)

// namedFiles are the entries of vars_files whose names hold variables. Each
// host names its own files, as soon as it knows the variables: a name of facts
// waits until there are facts.
type namedFiles struct {
	entries []any
	at      []int // where each stands among the layers
	mu      sync.Mutex
	found   map[foundFile]vars.Source
}

type foundFile struct {
	host  *host
	entry int
}

// varsFiles lays the play's vars_files over its layers: of each entry the first
// file that exists, the last entry on top. What is missing is an error before
// the first task, where the name is known by then.
func (v *playRun) varsFiles(ctx context.Context) error {
	v.files.found = map[foundFile]vars.Source{}
	for _, entry := range v.play.VarsFiles {
		if jinja.IsTemplated(entry) {
			v.files.entries = append(v.files.entries, entry)
			v.layers = append([]vars.Layer{{Name: "vars_files"}}, v.layers...)
			continue
		}
		layer, err := v.firstFile(choicesOf(entry), func(c any) (string, error) { return jinja.Str(c), nil })
		if err != nil {
			return err
		}
		v.layers = append([]vars.Layer{layer}, v.layers...)
	}
	for i, l := range v.layers {
		if l.Source == nil {
			v.files.at = append([]int{i}, v.files.at...) // the strongest layer is the last entry
		}
	}
	for i := range v.files.entries {
		for _, h := range v.hosts {
			if _, err := v.fileOf(ctx, h, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func choicesOf(entry any) []any {
	if l, ok := entry.(*jinja.List); ok {
		return l.Items
	}
	return []any{entry}
}

// firstFile reads the first of the choices that exists.
func (v *playRun) firstFile(choices []any, render func(any) (string, error)) (vars.Layer, error) {
	var tried []string
	for _, c := range choices {
		name, err := render(c)
		if err != nil {
			return vars.Layer{}, err
		}
		for _, p := range []string{document.Join(v.dir(), "vars", name), document.Join(v.dir(), name)} {
			if isDir, err := v.run.o.Files.Stat(p); err != nil || isDir {
				tried = append(tried, p)
				continue
			}
			d, err := v.run.o.Loader.VarsFile(p)
			if err != nil {
				return vars.Layer{}, err
			}
			return vars.Layer{Name: "vars_files " + p, Source: vars.Dict(d)}, nil
		}
	}
	return vars.Layer{}, fault.At(v.play.Place, "vars_files: none of these files exists: %s", strings.Join(tried, ", "))
}

// layersOf are the play's layers as a host sees them.
func (v *playRun) layersOf(h *host) []vars.Layer {
	if len(v.files.entries) == 0 {
		return v.layers
	}
	out := append([]vars.Layer(nil), v.layers...)
	for i, at := range v.files.at {
		out[at].Source = hostFile{v, h, i}
	}
	return out
}

// hostFile is one entry of vars_files, as a host names it.
type hostFile struct {
	v     *playRun
	h     *host
	entry int
}

// Lookup reads the variable, and the file if it can be named by now.
func (f hostFile) Lookup(ctx context.Context, name string) (any, bool, error) {
	src, err := f.v.fileOf(ctx, f.h, f.entry)
	if err != nil || src == nil {
		return nil, false, err
	}
	return src.Lookup(ctx, name)
}

// Names lists the variables of the file, none while it cannot be named.
func (f hostFile) Names() []string {
	src, err := f.v.fileOf(context.Background(), f.h, f.entry)
	if err != nil || src == nil {
		return nil
	}
	return src.Names()
}

// fileOf gives the file that a host means by an entry; nil as long as its name
// holds an undefined variable and no facts are there that could be meant.
func (v *playRun) fileOf(ctx context.Context, h *host, entry int) (vars.Source, error) {
	key := foundFile{h, entry}
	v.files.mu.Lock()
	src, ok := v.files.found[key]
	v.files.mu.Unlock()
	if ok {
		return src, nil
	}
	s := v.run.o.Templates.Scope(v.namingStack(h), taskFiles{run: v.run, play: v.dir()})
	undefined := false
	layer, err := v.firstFile(choicesOf(v.files.entries[entry]), func(c any) (string, error) {
		name, err := s.RenderString(ctx, c)
		_, undefined = jinja.AsUndefined(err)
		return name, err
	})
	switch {
	case undefined && !h.facts.Gathering():
		return nil, nil
	case err != nil:
		return nil, fault.At(v.play.Place, "vars_files of %s", h.name).Because(err)
	}
	v.files.mu.Lock()
	defer v.files.mu.Unlock()
	v.files.found[key] = layer.Source
	return layer.Source, nil
}

// namingStack is what the names of vars_files see: what is there before any task.
func (v *playRun) namingStack(h *host) vars.Stack {
	st := vars.Stack{v.run.magicOf(h), v.run.magic(), {Name: "extra vars", Source: vars.Dict(v.run.extra())}}
	for _, l := range v.layers {
		if l.Source != nil {
			st = append(st, l)
		}
	}
	st = append(st, vars.Layer{Name: "facts", Source: &h.facts})
	st = append(st, h.layers()...)
	return append(st, connectionDefaults(h))
}
