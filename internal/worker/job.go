package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/wire"
)

// jobWord is the second argument of a process that runs one job; the third is
// the job's id, for whoever looks at the process list.
const jobWord = "job"

func isJob(argv []string) bool { return len(argv) == 4 && argv[1] == Command && argv[2] == jobWord }

// lateBy is how long a job that has passed its limit may take to end its
// processes before it is killed itself.
const lateBy = 10 * time.Second

// job is what a job process reads from its standard input: arguments may hold
// secrets, which have no place in the process list.
type job struct {
	ID, File string
	Task     wire.Task
}

// startJob starts a task in a session of its own, so that it goes on when
// worker and connection are gone, and says where its state is to be found.
func startJob(n node.Writer, t wire.Task) wire.Reply {
	if t.Check {
		return failure(errors.New("a job cannot be started in check mode"))
	}
	dir := module.JobDir(n)
	j := job{ID: fmt.Sprintf("%d.%d", rand.Int64N(1e12), os.Getpid()), Task: t}
	j.File = filepath.Join(dir, j.ID)
	state := map[string]any{"ansible_job_id": j.ID, "started": 1, "finished": 0}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = j.write(state)
	}
	if err == nil {
		if err = j.spawn(); err != nil {
			os.Remove(j.File) // nothing will ever finish it
		}
	}
	if err != nil {
		return failure(fmt.Errorf("starting the job: %w", err))
	}
	state["results_file"] = j.File
	r := wire.Reply{Changed: true}
	if r.Return, err = json.Marshal(state); err != nil {
		return failure(err)
	}
	return r
}

// spawn starts the job's process and hands it its task.
func (j job) spawn() error {
	body, err := json.Marshal(j)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	cmd := exec.Command("/proc/self/exe", Command, jobWord, j.ID)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	r.Close()
	if err != nil {
		return err
	}
	go cmd.Wait() // for as long as there is a worker it is the parent
	_, err = w.Write(body)
	return err
}

// jobMain is a whole job process; it gives the exit code.
func jobMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	outliveConnection()
	syscall.Umask(defaultUmask)
	var j job
	body, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(body, &j)
	}
	if err != nil || j.Task.Async == nil {
		return 1 // the worker was killed while it handed the task over
	}
	if err := j.write(j.run(ctx, localNodes()(false, j.Task.Env))); err != nil {
		return 1
	}
	return 0
}

// run runs the task within its limit and gives its result.
func (j job) run(ctx context.Context, n node.Writer) map[string]any {
	limit := time.Duration(j.Task.Async.Limit) * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ended := make(chan wire.Reply, 1)
	go func() { ended <- perform(ctx, n, j.Task) }()
	late := time.NewTimer(limit + lateBy)
	defer late.Stop()
	select {
	case r := <-ended:
		if !r.Failed || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return j.result(r)
		}
	case <-late.C: // its processes die with this one
	}
	return map[string]any{"ansible_job_id": j.ID, "started": 1, "finished": 1, "failed": true, "changed": false,
		"msg": "Timeout exceeded", "child_pid": os.Getpid()}
}

// result is what async_status and the registered variable show.
func (j job) result(r wire.Reply) map[string]any {
	res := map[string]any{}
	if len(r.Return) > 0 {
		var ret map[string]json.RawMessage // numbers stay as they are
		if err := json.Unmarshal(r.Return, &ret); err != nil {
			r.Failed, r.Msg = true, err.Error()
		}
		for k, v := range ret {
			res[k] = v
		}
	}
	res["ansible_job_id"], res["started"], res["finished"], res["changed"] = j.ID, 1, 1, r.Changed
	if r.Failed {
		res["failed"] = true
	}
	if r.Skipped {
		res["skipped"] = true
	}
	if r.Msg != "" {
		res["msg"] = r.Msg
	}
	return res
}

// write replaces the state file; whoever reads it sees the old state or the new.
func (j job) write(state map[string]any) error {
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	tmp := j.File + ".tmp"
	if err := os.WriteFile(tmp, body, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, j.File); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}
