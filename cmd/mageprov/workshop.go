package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/charmbracelet/log"

	"mageprov"
	"mageprov/internal/config"
	_ "mageprov/internal/dataedit" // a module that the worker must not have
	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/lab"
	"mageprov/internal/module"
	_ "mageprov/internal/modules" // the modules register themselves
	"mageprov/internal/play"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	_ "mageprov/internal/synchronize"
	"mageprov/internal/template"
	"mageprov/internal/vault"
)

// workshop is what a run is made with: flags turned into an inventory, a
// loader, a template engine and a reporter.
type workshop struct {
	streams   streams
	flags     *runFlags
	files     document.Disk
	inventory *inventory.Inventory
	settings  *config.Settings
	extra     *jinja.Dict
	templates *template.Engine
	loader    *playbook.Loader
	reporter  report.Reporter
}

// newWorkshop loads the inventory and the extra variables. looks: nothing will
// be run, so that what cannot be decrypted may stay encrypted.
func newWorkshop(ctx context.Context, s streams, f *runFlags, looks bool) (*workshop, error) {
	w := &workshop{streams: s, flags: f}
	var err error
	if w.settings, err = loadSettings(f.set, w.warn); err != nil {
		return nil, err
	}
	keys, err := f.vault.keys(ctx, s, looks)
	if err != nil {
		return nil, err
	}
	w.files = document.Disk{Shipped: mageprov.Content, Vault: keys}
	if w.extra, err = extraVars(w.files, f.extra); err != nil {
		return nil, err
	}
	if len(f.inventory) == 0 && f.called == "" {
		return nil, noInventory()
	}
	w.templates = template.New(template.Options{Files: templateFiles{w.files}, Warn: w.warn, Managed: w.settings.Text("ansible_managed")})
	if w.inventory, err = inventory.LoadContext(ctx, inventoryOptions(f.sources(), w.files, w.templates, w.extra)); err != nil {
		return nil, err
	}
	if f.playbookDir != "" {
		if err := w.inventory.LoadVars(f.playbookDir); err != nil {
			return nil, err
		}
	}
	for _, warning := range w.inventory.Warnings {
		w.warn(warning)
	}
	w.loader = playbook.NewLoader(playbook.Options{Files: w.files, RolesPath: roleDirs(f.rolesPath), CollectionsPath: collectionDirs(w.settings), Library: f.libraries(), Modules: module.Lookup, ExtraVars: w.extra, Parse: w.templates.Parse, Vault: keys})
	return w, nil
}

// noInventory names the inventories that are at hand.
func noInventory() error {
	e := fault.New("no inventory given")
	found, _ := filepath.Glob("inventory/*")
	if len(found) == 0 {
		return e.WithHint("name one with -i: a directory, a file, or hosts with a comma, such as -i host1,")
	}
	for i, f := range found {
		found[i] = "-i " + f
	}
	return e.WithHint("one of %s", strings.Join(found, ", "))
}

// playbooks loads all playbooks and names all that is wrong with them.
func (w *workshop) playbooks(paths []string) ([]*playbook.Playbook, error) {
	var all *multierror.Error
	var books []*playbook.Playbook
	for _, p := range paths {
		if dir, err := w.files.Stat(p); err == nil && dir {
			all = multierror.Append(all, notPlaybook(p))
			continue
		}
		b, err := w.loader.Playbook(p)
		if err != nil {
			all = multierror.Append(all, err)
			continue
		}
		books = append(books, b)
	}
	return books, all.ErrorOrNil()
}

// notPlaybook is the error for a directory in a playbook's place.
func notPlaybook(dir string) error {
	return fault.New("%s is a directory, not a playbook", dir).WithHint("name a file; roles are read with the playbook that uses them")
}

// run prepares the engine.
func (w *workshop) run() (*play.Run, error) {
	f := w.flags
	login, err := w.login()
	if err != nil {
		return nil, err
	}
	reporter, err := w.logged(w.newReporter())
	if err != nil {
		return nil, err
	}
	w.reporter = report.NewSerial(reporter)
	if hosts, err := w.match("all"); err == nil { // what is wrong with --limit, the run says
		w.reporter.Report(report.Event{Type: report.RunStart, Time: time.Now(), Hosts: hosts})
	}
	w.aboutLab()
	return play.New(play.Options{
		Inventory: w.inventory, Loader: w.loader, Templates: w.templates, Files: w.files, Reporter: w.reporter,
		Forks: f.forks, Limit: f.limit, Tags: words(f.tags), SkipTags: words(f.skip), StartAt: f.startAt, Extra: w.extra,
		Check: f.check, Diff: f.diff, Verbosity: f.verbosity, ForceHandlers: f.forceHandlers, Connection: login, Ask: w.asker(),
		GatherExplicit: w.settings.Text("gathering") == "explicit", AnyErrorsFatal: w.settings.Bool("any_errors_fatal", false),
		NoLog: w.settings.Bool("no_log", false),
	}), nil
}

// login asks for the passwords that the flags want and no more.
func (w *workshop) login() (play.Login, error) {
	f := w.flags
	policy, err := f.hostKeyPolicy(w.interactive())
	if err != nil {
		return play.Login{}, err
	}
	l := play.Login{User: f.user, KeyFile: f.keyFile, Kind: f.connection, Timeout: f.timeoutDuration(), HostKey: policy,
		KnownHosts: f.knownHosts, SSHConfig: f.sshConfig, Become: f.become, BecomeUser: f.becomeUser, BecomeMethod: f.becomeMethod,
		SSHArgs: w.settings.Text("ssh_args"), SSHCommonArgs: f.sshCommon, SSHExtraArgs: f.sshExtra,
		BecomeExe: w.settings.Text("become_exe"), BecomeFlags: w.settings.Text("become_flags"),
		AskHostKey: w.askHostKey, Passphrase: w.passphrase, Log: w.newLog(), Dial: dialer()}
	if f.connection != "" && f.connection != "ssh" && f.connection != "local" {
		return l, fault.New("--connection %q is not known", f.connection).WithHint("one of ssh, local")
	}
	if err := w.passwordFiles(&l); err != nil {
		return l, err
	}
	if f.askPass {
		if l.Password, err = w.askSecret("SSH password: "); err != nil {
			return l, err
		}
	}
	if f.askBecome {
		prompt := "BECOME password: "
		if f.askPass {
			prompt = "BECOME password[defaults to SSH password]: "
		}
		if l.BecomePassword, err = w.askSecret(prompt); err != nil {
			return l, err
		}
		if l.BecomePassword == "" {
			l.BecomePassword = l.Password
		}
	}
	return l, nil
}

// newLog is the log on stderr: with -vv what is worth knowing, with -vvv every
// connection.
func (w *workshop) newLog() *log.Logger {
	l := log.NewWithOptions(w.streams.err, log.Options{Prefix: "mageprov", ReportTimestamp: true, Level: log.WarnLevel})
	switch {
	case w.flags.verbosity >= 3:
		l.SetLevel(log.DebugLevel)
	case w.flags.verbosity == 2:
		l.SetLevel(log.InfoLevel)
	}
	return l
}

func (w *workshop) newReporter() report.Reporter {
	if w.flags.json {
		return report.NewJSON(w.streams.out, program())
	}
	o := report.HumanOptions{Verbosity: w.flags.verbosity, Diff: w.flags.diff, Check: w.flags.check, Notes: w.streams.err, Bare: w.flags.called != ""}
	o.HideSkipped, o.HideOK = !w.settings.Bool("display_skipped_hosts", true), !w.settings.Bool("display_ok_hosts", true)
	if file, ok := w.streams.out.(*os.File); ok {
		o.Width, o.Color, o.Live = report.Terminal(file, os.Getenv)
	}
	o.Color = (o.Color || w.settings.Bool("force_color", false)) && !w.settings.Bool("nocolor", false)
	if w.flags.adHoc {
		return report.NewAdHoc(w.streams.out, o)
	}
	return report.NewHuman(w.streams.out, o)
}

// warn goes through the reporter once there is one: it knows where live rows stand.
func (w *workshop) warn(text string) {
	if w.reporter != nil {
		w.reporter.Report(report.Event{Type: report.NoteEvent, Time: time.Now(), Level: "warning", Text: text})
		return
	}
	w.streams.warn(text)
}

// aboutLab says once that hosts of the lab are not what they are called, or
// that the lab is down.
func (w *workshop) aboutLab() {
	for _, name := range w.inventory.HostNames() {
		args, _ := w.inventory.Merged(name).Get("ansible_ssh_common_args")
		text := ""
		switch a := args.(type) {
		case string:
			text = a
		case *jinja.Text:
			text = a.Source
		}
		if !strings.Contains(text, lab.Dir+"/ssh_config") {
			continue
		}
		if _, err := os.Stat(lab.Dir + "/ssh_config"); err != nil {
			w.warn("the lab is down; mageprov lab up boots it")
			return
		}
		if !lab.Answers() {
			w.warn("the lab is down, perhaps since this machine was restarted; mageprov lab up boots it")
			return
		}
		w.warn((&lab.Lab{}).Banner())
		return
	}
}

func (w *workshop) print(format string, args ...any) { fmt.Fprintf(w.streams.out, format, args...) }

// match gives the hosts of a play for --list-hosts.
func (w *workshop) match(pattern string) ([]string, error) {
	hosts, _, err := w.inventory.Match(pattern)
	if err != nil {
		return nil, err
	}
	allowed := map[string]bool{}
	if w.flags.limit != "" {
		limited, _, err := w.inventory.Limit(w.flags.limit)
		if err != nil {
			return nil, err
		}
		for _, h := range limited {
			allowed[h.Name] = true
		}
	}
	var names []string
	for _, h := range hosts {
		if w.flags.limit == "" || allowed[h.Name] {
			names = append(names, h.Name)
		}
	}
	return names, nil
}

// extraVars reads -e: key=value words, YAML or JSON, or @file. Later wins.
func extraVars(files document.Disk, args []string) (*jinja.Dict, error) {
	all := jinja.NewDict()
	for _, a := range args {
		var d *jinja.Dict
		var err error
		if name, ok := strings.CutPrefix(a, "@"); ok {
			data, rerr := files.ReadFile(name)
			if rerr != nil {
				return nil, document.Reading(rerr, "-e", "@"+name)
			}
			d, err = varsOf(name, data, files.Vault)
		} else if t := strings.TrimSpace(a); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") || strings.HasPrefix(t, "-") && strings.Contains(t, ":") {
			d, err = varsOf("--extra-vars", []byte(a), files.Vault)
		} else {
			d, err = playbook.KeyValues(a, fault.Place{File: "--extra-vars"})
		}
		if err != nil {
			return nil, err
		}
		for k, v := range d.All() {
			all.Set(k, v)
		}
		all.Templated = all.Templated || d.Templated
	}
	return all, nil
}

func varsOf(name string, data []byte, keys *vault.Keyring) (*jinja.Dict, error) {
	n, err := document.LoadSealed(name, data, keys)
	if err != nil {
		return nil, err
	}
	v := n.ToValue()
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fault.At(fault.Place{File: name}, "expected a dictionary of variables, found %s", jinja.TypeName(v))
	}
	return d, nil
}
