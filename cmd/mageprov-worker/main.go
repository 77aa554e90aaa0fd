// Mageprov-worker is what mageprov pushes to a managed node: it runs modules
// there and speaks frames on standard input and output. It is not for people.
package main

import (
	"os"

	_ "mageprov/internal/modules" // registers the modules
	"mageprov/internal/worker"
)

func main() { os.Exit(worker.Main()) }
