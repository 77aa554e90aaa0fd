package modules

import (
	"testing"

	"mageprov/internal/node/nodetest"
)

// Two tasks of one worker change a file within a second: both old texts stay.
func TestBackupNamesDiffer(t *testing.T) {
	n := nodetest.New(t)
	n.Put("/etc/motd", "one\n")
	first := backupName(n, "/etc/motd")
	n.Put(first, "one\n")
	if second := backupName(n, "/etc/motd"); second == first {
		t.Errorf("both backups are %s", first)
	}
}
