// Package playbook turns YAML files into plays, roles, blocks and tasks, each
// with its place. It parses and checks; it never executes.
package playbook

import (
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// A keyword's value is a jinja value (see jinja.List and so on): a literal, or
// *jinja.Text where it holds a template. nil means the keyword is absent.

// Base is what plays, blocks, roles and tasks share. Everything is inherited
// downwards by the engine, as Ansible does: the nearest value wins, but when
// and tags add up and vars and environment merge.
type Base struct {
	Place fault.Place
	Name  any   // string, *jinja.Text or nil
	When  []any // bool or *jinja.Text with Expr set; all must hold
	Tags  []any // strings or *jinja.Text
	Vars  *jinja.Dict

	Become, BecomeUser, BecomeMethod, BecomeFlags, BecomeExe any
	Connection, RemoteUser, Port                             any
	Environment                                              []any // dicts or *jinja.Text, later wins
	IgnoreErrors, IgnoreUnreachable, AnyErrorsFatal          any
	NoLog, CheckMode, Diff                                   any
	RunOnce, Throttle, Timeout                               any
	DelegateTo, DelegateFacts                                any
	ModuleDefaults                                           []any
	Debugger                                                 any
	Collections                                              []string
}

// Playbook is one file with every import_playbook expanded in place.
type Playbook struct {
	Path  string
	Plays []*Play
}

// Play is one play.
type Play struct {
	Base
	File                                  string // of the playbook it stands in; playbook_dir is its directory
	Hosts                                 any    // pattern: string, *jinja.Text or *jinja.List
	GatherFacts                           any    // nil: default (true)
	GatherSubset, GatherTimeout, FactPath any
	VarsFiles                             []any // entries: string, *jinja.Text or *jinja.List (first found)
	VarsPrompt                            []VarsPrompt
	Roles                                 []*RoleUse
	PreTasks, Tasks, PostTasks            []Node
	Handlers                              []Node
	Serial                                []any
	Strategy                              any
	MaxFailPercentage                     any
	Order                                 any
	ForceHandlers                         any
	// ImportWhen and friends of an import_playbook are merged into Base.
}

// VarsPrompt is one question before a play.
type VarsPrompt struct {
	Place                    fault.Place
	Name, Prompt             string
	Default                  any
	Private, Confirm, Unsafe bool
	Encrypt, Salt            string
	SaltSize                 int
}

// RoleUse is one entry of roles:, or a role that import_role or include_role names.
type RoleUse struct {
	Base
	Role   *Role
	Params *jinja.Dict // inline variables and vars: of the entry (role params)
	// Included: import_role or include_role named the role. Such a use repeats what
	// ran already, unless it says allow_duplicates: false (Once), and is told from
	// that of an entry.
	Included, Once bool
	// Unchecked is rolespec_validate: false, for import_role and include_role.
	Unchecked bool
}

// Role is a role's content, loaded once per directory and tasks_from.
type Role struct {
	Name            string // that of a role of a collection is the full one, "ns.collection.role"
	Collection      string // "ns.collection", or ""
	Path            string // directory; "builtin:roles/x" for a role in the binary
	Dependencies    []*RoleUse
	AllowDuplicates bool
	Defaults        *jinja.Dict // never nil
	Vars            *jinja.Dict // never nil
	Tasks           []Node
	Handlers        []Node
	// Validation is the task that holds the role's arguments against
	// meta/argument_specs.yml, before its tasks; nil if there is none for the entry point.
	Validation             *Task
	DefaultsFile, VarsFile string // for explain
	TasksFile              string // the file Tasks came from, "" if the role has none
}

// Node is a *Task or a *Block.
type Node interface{ base() *Base }

// Block is a block with rescue and always; also what import_tasks and import_role leave behind.
type Block struct {
	Base
	Body, Rescue, Always []Node
	// Role is set on a block that holds a statically imported role (import_role):
	// its tasks see the role's defaults, vars and files.
	Role *RoleUse
	// Dir is set on what import_tasks leaves behind: the directory of the imported file.
	Dir string
	// Implicit: no `block:` was written (import_tasks, import_role).
	Implicit bool
}

// Task is one task or handler.
type Task struct {
	Base
	// Action is the module's name as written; Spec is nil for the dynamic includes
	// (include_tasks, include_role) and is otherwise the module.
	Action string
	Spec   *module.Spec
	// Args are the module's arguments: *jinja.Dict, or *jinja.Text for `args: "{{ x }}"`,
	// merged under Args when both are written.
	Args     *jinja.Dict
	ArgsText *jinja.Text

	Loop        any    // value of loop: or with_X:
	LoopWith    string // "" for loop:, else the lookup of with_X ("items", "dict", "fileglob")
	LoopControl LoopControl

	Register                any // string or *jinja.Text
	ChangedWhen, FailedWhen []any
	Until                   []any
	Retries, Delay          any
	Async, Poll             any
	Notify                  []any
	Listen                  []any // handlers only

	Include *Include

	// Dir is the directory of the file the task stands in, for relative sources.
	Dir string
	// Role is the role the task belongs to, nil outside roles.
	Role *Role
	// IsHandler is set on handlers.
	IsHandler bool
}

// LoopControl is loop_control.
type LoopControl struct {
	LoopVar, IndexVar any // default "item", none
	Label             any
	Pause             any
	Extended          any
	ExtendedAllitems  any
	BreakWhen         []any
}

// Include is a dynamic include: include_tasks or include_role.
type Include struct {
	File                                            any // include_tasks: file name
	Role                                            any // include_role: role name
	TasksFrom, VarsFrom, DefaultsFrom, HandlersFrom any
	Apply                                           *jinja.Dict // apply: keywords, parsed again onto the included tasks
	ApplyBase                                       *Base
	Public                                          any
	AllowDuplicates                                 any
	RolesPath                                       any
	RolespecValidate                                any
}

func (t *Task) base() *Base  { return &t.Base }
func (b *Block) base() *Base { return &b.Base }
