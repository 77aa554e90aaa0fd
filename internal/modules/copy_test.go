package modules

import (
	"context"
	"os"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node/nodetest"
)

// actOn runs the Action of a module against the double.
func actOn(t *testing.T, n *nodetest.Node, files map[string]string, check bool, name string, args module.Args) *module.Result {
	t.Helper()
	spec, _ := module.Lookup(name)
	res, err := spec.Action(t.Context(), moduletest.NewController(t, moduletest.NewHost(n), files, check), args)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestCopyLarge: what is larger than the limit is uploaded, and only when it differs.
func TestCopyLarge(t *testing.T) {
	n := nodetest.New(t)
	files := map[string]string{"big": strings.Repeat("0123456789abcdef", inlineLimit/16) + "!"}
	args := module.Args{"src": "big", "dest": "/etc/big", "mode": "0600"}
	check := actOn(t, n, files, true, "copy", args)
	if _, err := n.Lstat("/.uploads"); check.Failed || !check.Changed || err == nil {
		t.Fatalf("check: %+v, uploaded: %v", check, err == nil)
	}
	res := actOn(t, n, files, false, "copy", args)
	i, err := n.Lstat("/etc/big")
	if res.Failed || err != nil || i.Mode != 0o600 || i.Size != inlineLimit+1 || res.Changes[0].What != check.Changes[0].What {
		t.Fatalf("run: %+v, %+v %v", res, i, err)
	}
	n.RemoveAll("/.uploads")
	again := actOn(t, n, files, false, "copy", args)
	if _, err := n.Lstat("/.uploads"); again.Changed || again.Failed || err == nil {
		t.Errorf("second run: %+v, uploaded: %v", again, err == nil)
	}
}

func TestUnarchiveFromController(t *testing.T) {
	n := nodetest.New(t)
	n.Put("/opt/.keep", "")
	files := map[string]string{"a.tgz": string(gzOf(tarOf(t, plainEntries)))}
	args := module.Args{"src": "a.tgz", "dest": "/opt"}
	check := actOn(t, n, files, true, "unarchive", args)
	if _, err := n.Lstat("/.uploads"); check.Failed || !check.Changed || err == nil {
		t.Fatalf("check: %+v, uploaded: %v", check, err == nil)
	}
	res := actOn(t, n, files, false, "unarchive", args)
	if res.Failed || !res.Changed || res.Changes[0].What != check.Changes[0].What || filesBelow(t, n, "/opt") != "/opt/README /opt/bin/run" {
		t.Fatalf("run: %+v, %s", res, filesBelow(t, n, "/opt"))
	}
	n.RemoveAll("/.uploads")
	again := actOn(t, n, files, false, "unarchive", args)
	if _, err := n.Lstat("/.uploads"); again.Changed || again.Failed || err == nil {
		t.Errorf("second run: %+v, uploaded: %v", again, err == nil)
	}
}

// vaulted is a Controller whose files are encrypted.
type vaulted struct {
	module.Controller
	clear []byte
	n     *nodetest.Node
}

func (v vaulted) ReadFile(string) ([]byte, error) { return v.clear, nil }

func (v vaulted) Upload(_ context.Context, _ string) (string, error) {
	v.n.Put("/.uploads/a", string(v.clear))
	return "/.uploads/a", nil
}

// TestUnarchiveVault: an encrypted archive is unpacked in clear, and compared so.
func TestUnarchiveVault(t *testing.T) {
	n := nodetest.New(t)
	n.Put("/opt/.keep", "")
	files := map[string]string{"a.tgz": vaultHeader + "1.1;AES256\n6162\n"}
	spec, _ := module.Lookup("unarchive")
	run := func(check bool, args module.Args) *module.Result {
		t.Helper()
		c := vaulted{moduletest.NewController(t, moduletest.NewHost(n), files, check), gzOf(tarOf(t, plainEntries)), n}
		res, err := spec.Action(t.Context(), c, args)
		if err != nil {
			return &module.Result{Failed: true, Msg: err.Error()}
		}
		return res
	}
	args := module.Args{"src": "a.tgz", "dest": "/opt"}
	for _, want := range []struct{ check, changed bool }{{true, true}, {false, true}, {true, false}, {false, false}} {
		if res := run(want.check, args); res.Failed || res.Changed != want.changed {
			t.Errorf("check %v: changed %v, %+v", want.check, res.Changed, res)
		}
	}
	if filesBelow(t, n, "/opt") != "/opt/README /opt/bin/run" {
		t.Errorf("unpacked %s", filesBelow(t, n, "/opt"))
	}
	args["decrypt"] = false
	if res := run(false, args); !res.Failed || !strings.Contains(res.Msg, "failed to find handler") {
		t.Errorf("decrypt: false: %+v", res)
	}
}

func TestFetch(t *testing.T) {
	n := nodetest.New(t)
	n.Put("/etc/motd", "hi\n")
	dir := t.TempDir()
	for _, c := range []struct {
		args module.Args
		want string
	}{
		{module.Args{"src": "/etc/motd", "dest": dir}, dir + "/host1/etc/motd"},
		{module.Args{"src": "/etc/motd", "dest": dir + "/flat/", "flat": true}, dir + "/flat/motd"},
		{module.Args{"src": "/etc/motd", "dest": dir + "/name", "flat": true}, dir + "/name"},
		{module.Args{"src": "/../../etc/motd", "dest": dir + "/deep"}, dir + "/deep/host1/etc/motd"},
	} {
		if check := actOn(t, n, nil, true, "fetch", c.args); !check.Changed || check.Failed {
			t.Errorf("%v: check: %+v", c.args, check)
		}
		if _, err := os.Stat(c.want); err == nil {
			t.Errorf("%v: check wrote %s", c.args, c.want)
		}
		res := actOn(t, n, nil, false, "fetch", c.args)
		b, err := os.ReadFile(c.want)
		if !res.Changed || res.Return["dest"] != c.want || string(b) != "hi\n" || err != nil {
			t.Errorf("%v: %+v, %q %v", c.args, res, b, err)
		}
		if again := actOn(t, n, nil, false, "fetch", c.args); again.Changed || again.Return["checksum"] != res.Return["checksum"] {
			t.Errorf("%v: second run: %+v", c.args, again)
		}
	}
}
