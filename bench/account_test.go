//go:build bench

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// account runs cmd and adds up the CPU time of all that it started. Orphans
// come to this process (a subreaper); those that stay behind, such as ssh's
// connection masters, are ended after the clock has stopped.
func account(t *testing.T, cmd *exec.Cmd, log string) usage {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	servers := children(os.Getpid())
	before := childCPU()
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go watchMemory(cmd.Process.Pid, stop, peak)
	err := cmd.Wait()
	u := usage{wall: time.Since(begin)}
	close(stop)
	u.memory = <-peak
	reap(servers)
	u.cpu = childCPU() - before
	if err != nil {
		b, _ := os.ReadFile(log)
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, last(string(b), 3000))
	}
	return u
}

// reap ends and collects every child that was not there before.
func reap(keep map[int]bool) {
	for range 100 {
		left := false
		for pid := range children(os.Getpid()) {
			if !keep[pid] {
				left = true
				syscall.Kill(pid, syscall.SIGTERM)
				var ws syscall.WaitStatus
				syscall.Wait4(pid, &ws, syscall.WNOHANG, nil)
			}
		}
		if !left {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func childCPU() time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ru); err != nil {
		panic(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// children lists the direct children of a process.
func children(pid int) map[int]bool {
	out := map[int]bool{}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		for _, w := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(w); err == nil {
				out[n] = true
			}
		}
	}
	return out
}

// watchMemory samples the sum of the proportional set sizes of a process tree.
func watchMemory(pid int, stop chan struct{}, peak chan int64) {
	var most int64
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var sum int64
		var walk func(int)
		walk = func(p int) {
			sum += pss(p)
			for c := range children(p) {
				walk(c)
			}
		}
		walk(pid)
		most = max(most, sum)
		select {
		case <-stop:
			peak <- most
			return
		case <-tick.C:
		}
	}
}

func pss(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var kb int64
		if n, _ := fmt.Sscanf(sc.Text(), "Pss: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}

func last(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}
