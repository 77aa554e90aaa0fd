package lint

import "mageprov/internal/playbook"

// Rule is one thing that lint looks for.
type Rule struct {
	ID    string
	Level playbook.Level
	About string // one sentence, lower case, no full stop
}

// rules is the list, by name.
var rules = []Rule{
	{"action-string", playbook.Warning, "action: or local_action: instead of the module as a key"},
	{"bare-variable", playbook.Warning, "a loop over the bare name of a variable: with_items: x"},
	{"command-instead-of-module", playbook.Warning, "command or shell runs a program that a module stands for"},
	{"command-instead-of-shell", playbook.Note, "shell without anything that needs a shell"},
	{"deprecated", playbook.Warning, "forms that Ansible has given up or is about to"},
	{"foreign-argument", playbook.Warning, "an argument that means nothing on Debian and Ubuntu"},
	{"ignore-errors", playbook.Warning, "ignore_errors: true without register: nothing looks at the failure"},
	{"ignored-keyword", playbook.Warning, "a keyword that has no effect where it stands"},
	{"key-value-form", playbook.Note, "arguments as key=value text instead of a dictionary"},
	{"missing-include", playbook.Warning, "a file or role that an include names does not exist"},
	{"missing-name", playbook.Note, "a task without a name"},
	{"no-changed-when", playbook.Note, "command or shell that always reports a change: no changed_when, creates or removes"},
	{"no-log-password", playbook.Warning, "a password among the arguments, and no no_log"},
	{"octal-mode", playbook.Warning, "a file mode without quotes"},
	{"package-latest", playbook.Note, "state: latest installs another version on another day"},
	{"refused", playbook.Error, "what apply refuses before it touches a host"},
	{"role-parameter", playbook.Warning, "a key of a role that is nearly a keyword"},
	{"template-in-condition", playbook.Warning, "{{ }} in when, until, failed_when or changed_when"},
	{"undefined-variable", playbook.Warning, "a variable that nothing defines"},
	{"unknown-argument", playbook.Error, "an argument that the module does not have"},
	{"unknown-filter", playbook.Error, "a filter that does not exist"},
	{"unknown-handler", playbook.Warning, "notify without such a handler"},
	{"unknown-keyword", playbook.Error, "a key that is neither keyword nor module"},
	{"unknown-lookup", playbook.Error, "a lookup that does not exist"},
	{"unknown-module", playbook.Error, "a module that does not exist; a warning in files that may never be included"},
	{"unknown-tag", playbook.Warning, "a tag that no task has"},
	{"unknown-test", playbook.Error, "a test that does not exist"},
	{"unnamed-handler", playbook.Warning, "a handler without name and listen"},
	{"unused-handler", playbook.Warning, "a handler that nothing notifies"},
	{"unused-variable", playbook.Warning, "a variable of a role's defaults or vars that nothing reads"},
}

// Rules lists all rules, sorted by name.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// Known says whether there is a rule of this name.
func Known(id string) bool {
	for _, r := range rules {
		if r.ID == id {
			return true
		}
	}
	return false
}

func levelOf(id string) playbook.Level {
	for _, r := range rules {
		if r.ID == id {
			return r.Level
		}
	}
	return playbook.Warning
}
