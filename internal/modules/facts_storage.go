package modules

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"syscall"
)

func storageCollectors() []collector {
	return []collector{
		{"mounts", "hardware", []string{"mounts"}, mountFacts},
		{"devices", "hardware", []string{"devices", "device_links"}, deviceFacts},
		{"lvm", "hardware", []string{"lvm"}, func(_ context.Context, g *gathering) { g.facts["lvm"] = "N/A" }},
		{"initiators", "", []string{"iscsi_iqn", "hostnqn", "fibre_channel_wwn"}, initiatorFacts},
	}
}

// mountEntry is one line of /proc/self/mountinfo.
type mountEntry struct {
	Root, Point, FSType, Source, Options string
}

// parseMountinfo reads the kernel's list of mounts, first mounted first.
func parseMountinfo(text string) []mountEntry {
	var out []mountEntry
	for _, line := range strings.Split(text, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		w, a := strings.Fields(before), strings.Fields(after)
		if !ok || len(w) < 6 || len(a) < 2 {
			continue
		}
		opts := w[5]
		if len(a) > 2 {
			opts = mergeOptions(opts, a[2])
		}
		out = append(out, mountEntry{Root: unescapeOctal(w[3]), Point: unescapeOctal(w[4]), FSType: a[0],
			Source: unescapeOctal(a[1]), Options: opts})
	}
	return out
}

// mergeOptions joins the options of a mount and of its file system as /proc/mounts shows them.
func mergeOptions(mount, super string) string {
	have := map[string]bool{}
	opts := strings.Split(mount, ",")
	for _, o := range opts {
		have[o] = true
	}
	for _, o := range strings.Split(super, ",") {
		if !have[o] && o != "rw" && !(o == "ro" && have["rw"]) {
			opts = append(opts, o)
		}
	}
	return strings.Join(opts, ",")
}

// unescapeOctal undoes \040 and its like.
func unescapeOctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func mountFacts(_ context.Context, g *gathering) {
	text, _ := g.text("/proc/self/mountinfo")
	uuids := linksByDevice(g, "/dev/disk/by-uuid")
	list := []any{}
	for _, m := range parseMountinfo(text) {
		if !strings.HasPrefix(m.Source, "/") && !strings.Contains(m.Source, ":/") || m.FSType == "none" {
			continue
		}
		opts, uuid := m.Options, "N/A"
		if m.Root != "/" {
			opts += ",bind"
		}
		if ids := uuids[path.Base(m.Source)]; len(ids) > 0 {
			uuid = ids[0]
		}
		entry := map[string]any{"mount": m.Point, "device": m.Source, "fstype": m.FSType, "options": opts, "uuid": uuid}
		var st syscall.Statfs_t
		if err := syscall.Statfs(m.Point, &st); err == nil {
			size := uint64(st.Frsize)
			entry["block_size"], entry["block_total"] = int64(st.Bsize), st.Blocks
			entry["block_available"], entry["block_used"] = st.Bavail, st.Blocks-st.Bavail
			entry["size_total"], entry["size_available"] = st.Blocks*size, st.Bavail*size
			entry["inode_total"], entry["inode_available"], entry["inode_used"] = st.Files, st.Ffree, st.Files-st.Ffree
		}
		list = append(list, entry)
	}
	g.facts["mounts"] = list
}

// linksByDevice maps a device's name to the names of the links in dir that lead to it.
func linksByDevice(g *gathering, dir string) map[string][]string {
	out := map[string][]string{}
	entries, err := g.node.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, e := range entries {
		if e.IsLink() {
			dev := path.Base(e.Target)
			out[dev] = append(out[dev], strings.ReplaceAll(path.Base(e.Path), `\x20`, " "))
		}
	}
	return out
}

func deviceFacts(_ context.Context, g *gathering) {
	links := map[string]map[string][]string{
		"ids": linksByDevice(g, "/dev/disk/by-id"), "uuids": linksByDevice(g, "/dev/disk/by-uuid"),
		"labels": linksByDevice(g, "/dev/disk/by-label"), "masters": {},
	}
	devices := map[string]any{}
	entries, _ := g.node.ReadDir("/sys/block")
	for _, e := range entries {
		name := path.Base(e.Path)
		for _, slave := range g.names("/sys/block/" + name + "/slaves") {
			links["masters"][slave] = append(links["masters"][slave], name)
		}
	}
	parts := map[string][]string{} // by device, as the links in /sys/class/block tell
	block, _ := g.node.ReadDir("/sys/class/block")
	for _, e := range block {
		dev := path.Base(path.Dir(e.Target))
		parts[dev] = append(parts[dev], path.Base(e.Path))
	}
	for _, e := range entries {
		name := path.Base(e.Path)
		devices[name] = g.device(name, e.Target, parts[name], links)
	}
	all := map[string]any{}
	for kind, byDev := range links {
		m := map[string]any{}
		for dev, names := range byDev {
			m[dev] = anyList(names)
		}
		all[kind] = m
	}
	g.facts["devices"], g.facts["device_links"] = devices, all
}

// names lists a directory, or nothing.
func (g *gathering) names(dir string) []string {
	entries, err := g.node.ReadDir(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = path.Base(e.Path)
	}
	return names
}

func (g *gathering) device(name, target string, partitions []string, links map[string]map[string][]string) map[string]any {
	dir := "/sys/block/" + name
	virtual := 0
	if strings.Contains(target, "/virtual/") || g.exists(dir+"/device/../driver") && strings.Contains(target, "/virtio") {
		virtual = 1
	}
	sectorSize := int64(atoiOr(g.textOr(dir+"/queue/logical_block_size", ""), 512))
	d := map[string]any{
		"virtual": virtual, "links": linksOf(links, name), "holders": anyList(g.names(dir + "/holders")), "host": "",
		"vendor": g.textOrNil(dir + "/device/vendor"), "model": g.textOrNil(dir + "/device/model"),
		"sas_address": g.textOrNil(dir + "/device/sas_address"), "sas_device_handle": g.textOrNil(dir + "/device/sas_device_handle"),
		"removable": g.textOr(dir+"/removable", "0"), "rotational": g.textOr(dir+"/queue/rotational", "0"),
		"support_discard": g.textOr(dir+"/queue/discard_granularity", "0"), "scheduler_mode": activeScheduler(g.textOr(dir+"/queue/scheduler", "")),
	}
	sectors := g.textOr(dir+"/size", "0")
	d["sectors"], d["sectorsize"], d["size"] = sectors, strconv.FormatInt(sectorSize, 10), humanSize(sectors)
	if serial, ok := g.text(dir + "/device/serial"); ok {
		d["serial"] = serial
	}
	parts := map[string]any{}
	for _, p := range partitions {
		pdir := dir + "/" + p
		var uuid any
		if ids := links["uuids"][p]; len(ids) > 0 {
			uuid = ids[0]
		}
		n := g.textOr(pdir+"/size", "0")
		parts[p] = map[string]any{"links": linksOf(links, p), "start": g.textOr(pdir+"/start", "0"), "sectors": n,
			"sectorsize": sectorSize, "size": humanSize(n), "uuid": uuid, "holders": anyList(g.names(pdir + "/holders"))}
	}
	d["partitions"] = parts
	return d
}

func (g *gathering) textOrNil(file string) any {
	if s, ok := g.text(file); ok && s != "" {
		return s
	}
	return nil
}

func linksOf(links map[string]map[string][]string, dev string) map[string]any {
	out := map[string]any{}
	for kind, byDev := range links {
		out[kind] = anyList(byDev[dev])
	}
	return out
}

// activeScheduler picks the word in brackets.
func activeScheduler(s string) string {
	_, rest, ok := strings.Cut(s, "[")
	if !ok {
		return s
	}
	name, _, _ := strings.Cut(rest, "]")
	return name
}

// humanSize writes a number of 512-byte sectors as Ansible writes sizes.
func humanSize(sectors string) string {
	n, _ := strconv.ParseFloat(sectors, 64)
	size := n * 512
	units := []string{"Bytes", "KB", "MB", "GB", "TB", "PB"}
	i := 0
	for size >= 1024 && i < len(units)-1 {
		size /= 1024
		i++
	}
	return fmt.Sprintf("%.2f %s", size, units[i])
}

func initiatorFacts(_ context.Context, g *gathering) {
	f := g.facts
	f["iscsi_iqn"], f["hostnqn"], f["fibre_channel_wwn"] = "", g.textOr("/etc/nvme/hostnqn", ""), []any{}
	text, _ := g.text("/etc/iscsi/initiatorname.iscsi")
	for _, line := range strings.Split(text, "\n") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "InitiatorName="); ok {
			f["iscsi_iqn"] = v
		}
	}
	wwns := []any{}
	for _, h := range g.names("/sys/class/fc_host") {
		if s, ok := g.text("/sys/class/fc_host/" + h + "/port_name"); ok {
			wwns = append(wwns, strings.TrimPrefix(s, "0x"))
		}
	}
	f["fibre_channel_wwn"] = wwns
}
