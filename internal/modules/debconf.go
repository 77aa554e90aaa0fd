package modules

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.debconf",
		New:  func() any { return &debconf{} },
	})
}

// debconf answers a package's questions before they are asked.
type debconf struct {
	Name     string  `arg:"name,required" alias:"pkg"`
	Question string  `arg:"question" alias:"selection,setting"`
	VType    string  `arg:"vtype" choices:"boolean,error,multiselect,note,password,seen,select,string,text,title"`
	Value    *string `arg:"value" alias:"answer"`
	Unseen   bool    `arg:"unseen"`
}

// Validate asks for a whole answer.
func (m *debconf) Validate() error {
	if m.Question != "" && (m.VType == "" || m.Value == nil) {
		return fault.New("when supplying a question you must supply a valid vtype and value")
	}
	for _, s := range []string{m.Name, m.Question} {
		if strings.ContainsAny(s, " \t\n") {
			return fault.New("%q holds a blank", s).WithHint("name is a package, question is such as package/setting")
		}
	}
	if m.Value != nil && strings.Contains(*m.Value, "\n") {
		return fault.New("value holds a line end, which debconf cannot read")
	}
	return nil
}

// The files of debconf's database; answers to passwords lie apart.
var debconfFiles = []string{"/var/cache/debconf/config.dat", "/var/cache/debconf/passwords.dat"}

// debconfAnswers gives what is answered for a package, read from debconf's own
// files: debconf-show would hide passwords, and never be done with them.
func debconfAnswers(n node.Reader, owner, question string) (map[string]string, error) {
	answers := map[string]string{}
	for _, file := range debconfFiles {
		data, err := n.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		eachStanza(data, func(get func(string) string) {
			owners := strings.Split(strings.ReplaceAll(get("Owners"), " ", ""), ",")
			if name := get("Name"); name == question || slices.Contains(owners, owner) {
				answers[name] = get("Value")
			}
		})
	}
	return answers, nil
}

// Check compares the answer with the wanted one.
func (m *debconf) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	answers, err := debconfAnswers(n, m.Name, m.Question)
	if errors.Is(err, fs.ErrPermission) {
		return module.Plan{}, fault.New("debconf's answers cannot be read").Because(err).WithHint("this needs root: set become: true")
	}
	if err != nil {
		return module.Plan{}, err
	}
	if m.Question == "" {
		current := map[string]any{}
		for k, v := range answers {
			current[k] = v
		}
		return module.Plan{Return: map[string]any{"msg": "", "current": current}}, nil
	}
	want := *m.Value
	if m.VType == "boolean" {
		want = strings.ToLower(want)
	}
	have, answered := answers[m.Question]
	if v, ok := n.Assumed("debconf", m.Question); ok {
		have, answered = v, true
	}
	shown := func(v string) string {
		if m.VType == "password" {
			return "NOT_LOGGING_PASSWORD"
		}
		return v
	}
	var previous any
	if answered {
		previous = shown(have)
	}
	plan := module.Plan{Return: map[string]any{
		"msg": "", "current": map[string]any{m.Question: shown(want)}, "previous": map[string]any{m.Question: previous},
	}}
	if answered && have == want {
		return plan, nil
	}
	c := module.Change{What: "answer " + m.Question, Apply: func(ctx context.Context, w node.Writer) error { return m.set(ctx, w, want) }}
	if m.VType != "password" {
		c.Before, c.After = have+"\n", want+"\n"
		if !answered {
			c.Before = ""
		}
	}
	plan.Changes = []module.Change{c}
	return plan, nil
}

func (m *debconf) set(ctx context.Context, w node.Writer, value string) error {
	argv := []string{"debconf-set-selections"}
	if m.Unseen {
		argv = append(argv, "-u")
	}
	line := strings.Join([]string{m.Name, m.Question, m.VType, value}, " ") + "\n"
	res, err := w.Run(ctx, node.Command{Argv: argv, Stdin: []byte(line), Env: aptEnv()})
	switch {
	case err != nil:
		return err
	case res.Unknown:
		w.Assume("debconf", m.Question, value)
	case res.RC != 0:
		return fault.New("debconf-set-selections: %s", strings.TrimSpace(cleanText(res.Stderr)))
	}
	return nil
}
