//go:build worker

package modules

import "mageprov/internal/module"

// What runs on the controller alone is left out of the worker, which is built
// with the tag worker to be small: whole modules by the build line of their
// file, and these actions of modules that have a part on the node, too.
var assembleAction, copyAction, runScript, unarchiveAction, uploadURISource module.Action
