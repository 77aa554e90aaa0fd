package playbook

// Tagged says whether a task with these tags runs under --tags only and
// --skip-tags skip. No only means all.
//
// always runs unless it is skipped by name; never runs only where one of the
// task's tags is asked for; tagged, untagged and all stand for what they say.
func Tagged(tags []string, only, skip []string) bool {
	if len(tags) == 0 {
		tags = []string{"untagged"}
	}
	if len(only) == 0 {
		only = []string{"all"}
	}
	untagged := len(tags) == 1 && tags[0] == "untagged"
	always, never := contains(tags, "always"), contains(tags, "never")
	run := always || meet(tags, only) ||
		contains(only, "all") && !never ||
		contains(only, "tagged") && !untagged && !never
	if !run || len(skip) == 0 {
		return run
	}
	switch {
	case contains(skip, "all"):
		return always && !contains(skip, "always")
	case meet(tags, skip):
		return false
	case contains(skip, "tagged"):
		return untagged
	}
	return true
}

func meet(a, b []string) bool {
	for _, x := range a {
		if contains(b, x) {
			return true
		}
	}
	return false
}
