package play

import (
	"context"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
)

// prompt asks vars_prompt. A variable that is already an extra var is not asked.
func (v *playRun) prompt(ctx context.Context) (*jinja.Dict, error) {
	out := jinja.NewDict()
	for _, p := range v.play.VarsPrompt {
		if _, given := v.run.extra().Get(p.Name); given {
			continue
		}
		if v.run.o.Ask == nil {
			if p.Default == nil {
				return nil, fault.At(p.Place, "vars_prompt %s: there is no terminal to ask on", p.Name).WithHint("give it with -e %s=VALUE", p.Name)
			}
			answer, err := v.answered(ctx, p.Default, p)
			if err != nil {
				return nil, fault.At(p.Place, "vars_prompt %s", p.Name).Because(err)
			}
			out.Set(p.Name, answer)
			out.Templated = out.Templated || jinja.IsTemplated(answer)
			continue
		}
		question := p.Prompt
		if question == "" {
			question = p.Name
		}
		answer, err := v.ask(question, p)
		if err == nil {
			answer, err = v.answered(ctx, answer, p)
		}
		if err != nil {
			return nil, fault.At(p.Place, "vars_prompt %s", p.Name).Because(err)
		}
		out.Set(p.Name, answer)
		out.Templated = out.Templated || jinja.IsTemplated(answer)
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
				v.run.warn("the two answers for %s differ: once more", p.Name)
				continue
			}
		}
		if answer == "" && p.Default != nil {
			return p.Default, nil
		}
		return answer, nil
	}
}

// answered makes the variable of an answer, which is text: its hash where
// encrypt asks for one, and a template unless the playbook calls it unsafe. A
// default is the playbook's own, so it may be a template in any case.
func (v *playRun) answered(ctx context.Context, answer any, p playbook.VarsPrompt) (any, error) {
	if p.Encrypt != "" {
		size := p.SaltSize
		if size == 0 && p.Salt == "" {
			size = 8
		}
		s := v.run.bareScope().With(map[string]any{"answer": answer, "scheme": p.Encrypt, "its_salt": p.Salt, "its_size": int64(size)})
		return s.Eval(ctx, "answer | string | password_hash(scheme, its_salt, salt_size=its_size)", p.Place)
	}
	if jinja.IsTemplated(answer) {
		return answer, nil
	}
	text := jinja.Str(answer)
	if !p.Unsafe && document.IsTemplate(text) {
		return &jinja.Text{Source: text, Place: p.Place}, nil
	}
	return text, nil
}

func playDir(p *playbook.Play) string { return document.Dir(p.File) }
