package play

import (
	"context"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/vars"
)

// prompt asks vars_prompt. A variable that is already an extra var is not asked.
func (v *playRun) prompt(context.Context) (*jinja.Dict, error) {
	out := jinja.NewDict()
	for _, p := range v.play.VarsPrompt {
		if _, given := v.run.extra().Get(p.Name); given {
			continue
		}
		if v.run.o.Ask == nil {
			if p.Default == nil {
				return nil, fault.At(p.Place, "vars_prompt %s: there is no terminal to ask on", p.Name).WithHint("give it with -e %s=VALUE", p.Name)
			}
			out.Set(p.Name, p.Default)
			continue
		}
		question := p.Prompt
		if question == "" {
			question = p.Name
		}
		answer, err := v.ask(question, p)
		if err != nil {
			return nil, fault.At(p.Place, "vars_prompt %s", p.Name).Because(err)
		}
		out.Set(p.Name, answer)
	}
	return out, nil
}

func (v *playRun) ask(question string, p playbook.VarsPrompt) (any, error) {
	if p.Default != nil {
		question += " [" + jinja.Str(p.Default) + "]"
	}
	for {
		answer, err := v.run.o.Ask(question+": ", p.Private)
		if err != nil {
			return nil, err
		}
		if p.Confirm {
			again, err := v.run.o.Ask("confirm "+question+": ", p.Private)
			if err != nil {
				return nil, err
			}
			if again != answer {
				continue
			}
		}
		if answer == "" && p.Default != nil {
			return p.Default, nil
		}
		return answer, nil
	}
}

// varsFiles reads vars_files: of each entry the first file that exists.
func (v *playRun) varsFiles(ctx context.Context) ([]vars.Layer, error) {
	var layers []vars.Layer
	for _, entry := range v.play.VarsFiles {
		choices := []any{entry}
		if l, ok := entry.(*jinja.List); ok {
			choices = l.Items
		}
		layer, tried, err := v.firstFile(ctx, choices)
		if err != nil {
			return nil, err
		}
		if layer.Source == nil {
			return nil, fault.At(v.play.Place, "vars_files: none of these files exists: %s", strings.Join(tried, ", "))
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

func (v *playRun) firstFile(ctx context.Context, choices []any) (vars.Layer, []string, error) {
	var tried []string
	for _, c := range choices {
		r, err := v.renderFileName(ctx, c)
		if err != nil {
			return vars.Layer{}, nil, fault.At(v.play.Place, "vars_files").Because(err)
		}
		name := r
		for _, p := range []string{document.Join(v.dir(), "vars", name), document.Join(v.dir(), name)} {
			if _, err := v.run.o.Files.Stat(p); err != nil {
				tried = append(tried, p)
				continue
			}
			d, err := v.run.o.Loader.VarsFile(p)
			if err != nil {
				return vars.Layer{}, nil, err
			}
			return vars.Layer{Name: "vars_files " + p, Source: vars.Dict(d)}, nil, nil
		}
	}
	return vars.Layer{}, tried, nil
}

// renderFileName renders the name of a vars file. It sees extra vars and the
// play's own vars; the first host's where those are not enough.
func (v *playRun) renderFileName(ctx context.Context, c any) (string, error) {
	if !jinja.IsTemplated(c) {
		return jinja.Str(c), nil
	}
	b := &batch{run: v.run, view: v, play: v.play, hosts: v.hosts}
	return b.scopeFor(v.hosts[0], b.root(), nil).RenderString(ctx, c)
}

func playDir(p *playbook.Play) string { return document.Dir(p.File) }
