package modules

import (
	"testing"
)

const dpkgSample = `Package: nginx
Status: install ok installed
Section: httpd
Architecture: amd64
Version: 1.24.0-1
Provides: httpd, httpd-cgi (= 1.24.0-1)
Description: web server
 Status: install ok half-installed

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.39-0ubuntu8

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.39-0ubuntu8

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: torn
Status: install reinstreq half-installed
Architecture: all
Version: 2.0
`

func TestParseDpkgStatus(t *testing.T) {
	db := parseDpkgStatus([]byte(dpkgSample))
	if p, ok := db.Find("nginx"); !ok || !p.Installed() || p.Version != "1.24.0-1" || p.Section != "httpd" {
		t.Errorf("nginx: %+v %v", p, ok)
	}
	if p, ok := db.Find("libc6:i386"); !ok || p.Arch != "i386" {
		t.Errorf("libc6:i386: %+v %v", p, ok)
	}
	if _, ok := db.Find("libc6:arm64"); ok {
		t.Error("libc6:arm64 was found")
	}
	if p, ok := db.Find("gone"); !ok || p.Installed() || p.State != "config-files" {
		t.Errorf("gone: %+v %v", p, ok)
	}
	if got := db.Providers("httpd-cgi"); len(got) != 1 || got[0] != "nginx" {
		t.Errorf("providers of httpd-cgi: %v", got)
	}
}

func TestParseExtendedStates(t *testing.T) {
	auto := parseExtendedStates([]byte("Package: a\nArchitecture: all\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n"))
	if !auto["a"] || auto["b"] {
		t.Errorf("%v", auto)
	}
}

func FuzzParseDpkgStatus(f *testing.F) {
	f.Add([]byte(dpkgSample))
	f.Add([]byte("Package\n:\n\n \nPackage:x\nStatus: a b c\nProvides: ,,(=1)"))
	f.Fuzz(func(t *testing.T, data []byte) {
		db := parseDpkgStatus(data)
		for _, p := range db.order {
			if p.Name == "" {
				t.Error("a package without a name")
			}
		}
	})
}
