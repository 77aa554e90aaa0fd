package module

import "context"

// Login is how the system's own ssh reaches the task's host, for a program that
// makes its connection itself (rsync).
type Login struct {
	// Local: the host is where the program runs, so there is nothing to log in to.
	Local bool
	// OnNode: the program runs on the node that the task is delegated to, by
	// Exec; otherwise on the controller.
	OnNode     bool
	Host, User string
	Port       int      // 0: ssh's own configuration says
	SSH        []string // options of ssh, without port and user
	Become     []string // what stands before a command there to run it as the task's user
}

// Reacher is a Controller that knows logins.
type Reacher interface {
	Controller
	Login(ctx context.Context) (Login, error)
}
