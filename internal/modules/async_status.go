package modules

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.async_status",
		New:    func() any { return &asyncStatus{Mode: "status"} },
		Action: runAsyncStatus,
	})
}

// asyncStatus reads or removes the state of a job that async: has started.
type asyncStatus struct {
	JID  string `arg:"jid,required"`
	Mode string `arg:"mode" choices:"status,cleanup"`
}

// Validate refuses an id that leads out of the directory.
func (m *asyncStatus) Validate() error {
	if m.JID == "" || strings.Contains(m.JID, "/") || strings.HasPrefix(m.JID, ".") {
		return fault.New("jid: %q is not the id of a job", m.JID).WithHint("use ansible_job_id of what the task with async registered")
	}
	return nil
}

// Check reads the state; cleanup plans to remove it.
func (m *asyncStatus) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	file := path.Join(module.JobDir(n), m.JID)
	data, err := n.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return module.Plan{}, &module.Failure{Msg: "could not find job", Hint: "looked for " + file,
			Return: map[string]any{"ansible_job_id": m.JID, "started": 1, "finished": 1}}
	}
	if err != nil {
		return module.Plan{}, err
	}
	if m.Mode == "cleanup" {
		remove := module.Change{What: "remove " + file, Quiet: true, Apply: func(_ context.Context, w node.Writer) error { return w.Remove(file) }}
		return module.Plan{Changes: []module.Change{remove}, Return: map[string]any{"ansible_job_id": m.JID, "erased": file, "started": 0, "finished": 0}}, nil
	}
	var state map[string]any
	if err := json.Unmarshal(data, &state); err != nil {
		return module.Plan{}, &module.Failure{Msg: "Could not parse job output: " + string(data),
			Return: map[string]any{"ansible_job_id": m.JID, "started": 1, "finished": 1}}
	}
	state["results_file"] = file
	return module.Plan{Return: state}, nil
}

// runAsyncStatus makes the result of the job that of the task.
func runAsyncStatus(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	res, err := c.Run(ctx, "ansible.builtin.async_status", args)
	if err != nil {
		return nil, err
	}
	if res.Failed {
		return res, nil
	}
	for key, to := range map[string]*bool{"changed": &res.Changed, "failed": &res.Failed, "skipped": &res.Skipped} {
		*to, _ = res.Return[key].(bool)
		delete(res.Return, key)
	}
	if res.Failed || res.Skipped {
		res.Msg, _ = res.Return["msg"].(string)
	}
	return res, nil
}
