package worker

import "mageprov/internal/node"

// localNodes gives the machine, with the environment of each task. In check
// mode all tasks of the session see one overlay, each with its own environment,
// so that a task finds what those before it would have done.
func localNodes() func(check bool, env map[string]string) node.Writer {
	var overlay *node.Overlay
	return func(check bool, env map[string]string) node.Writer {
		machine := node.NewLocal(node.LocalOptions{Env: env, Umask: defaultUmask})
		if !check {
			return machine
		}
		if overlay == nil {
			overlay = node.NewOverlay(machine)
		}
		return overlay.Over(machine)
	}
}
