package modules

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func hardwareCollectors() []collector {
	return []collector{
		{"memory", "hardware", []string{"memtotal_mb", "memfree_mb", "swaptotal_mb", "swapfree_mb", "memory_mb"}, memoryFacts},
		{"processor", "hardware", []string{"processor", "processor_*"}, processorFacts},
		{"dmi", "hardware", []string{"bios_*", "board_*", "chassis_*", "product_*", "form_factor", "system_vendor"}, dmiFacts},
		{"uptime", "hardware", []string{"uptime_seconds"}, uptimeFacts},
	}
}

func memoryFacts(_ context.Context, g *gathering) {
	text, ok := g.text("/proc/meminfo")
	if !ok {
		return
	}
	mb := map[string]int64{}
	for _, line := range strings.Split(text, "\n") {
		name, rest, _ := strings.Cut(line, ":")
		if w := strings.Fields(rest); len(w) > 0 {
			kb, _ := strconv.ParseInt(w[0], 10, 64)
			mb[name] = kb / 1024
		}
	}
	total, free := mb["MemTotal"], mb["MemFree"]
	nocache := free + mb["Cached"] + mb["Buffers"]
	f := g.facts
	f["memtotal_mb"], f["memfree_mb"] = total, free
	f["swaptotal_mb"], f["swapfree_mb"] = mb["SwapTotal"], mb["SwapFree"]
	f["memory_mb"] = map[string]any{
		"real":    map[string]any{"total": total, "used": total - free, "free": free},
		"nocache": map[string]any{"free": nocache, "used": total - nocache},
		"swap": map[string]any{"total": mb["SwapTotal"], "free": mb["SwapFree"],
			"used": mb["SwapTotal"] - mb["SwapFree"], "cached": mb["SwapCached"]},
	}
}

// cpu is one processor of /proc/cpuinfo.
type cpu map[string]string

func readCPUs(g *gathering) []cpu {
	text, _ := g.text("/proc/cpuinfo")
	var cpus []cpu
	for _, block := range strings.Split(text, "\n\n") {
		c := cpu{}
		for _, line := range strings.Split(block, "\n") {
			if k, v, ok := strings.Cut(line, ":"); ok {
				c[strings.TrimSpace(k)] = strings.TrimSpace(v)
			}
		}
		if _, ok := c["processor"]; ok {
			cpus = append(cpus, c)
		}
	}
	return cpus
}

func processorFacts(_ context.Context, g *gathering) {
	cpus := readCPUs(g)
	list := []any{}
	sockets := map[string]bool{}
	cores, siblings := 1, 1
	for _, c := range cpus {
		list = append(list, c["processor"])
		for _, k := range []string{"vendor_id", "model name", "Processor"} {
			if c[k] != "" {
				list = append(list, c[k])
			}
		}
		if id, ok := c["physical id"]; ok {
			sockets[id] = true
			cores, siblings = atoiOr(c["cpu cores"], 1), atoiOr(c["siblings"], 1)
		}
	}
	count, threads := len(sockets), 1
	if count == 0 { // arm64 and others say nothing of sockets
		count, cores = len(cpus), 1
	} else {
		threads = max(1, siblings/cores)
	}
	f := g.facts
	f["processor"], f["processor_count"], f["processor_cores"] = list, count, cores
	f["processor_threads_per_core"], f["processor_vcpus"] = threads, count*cores*threads
	f["processor_nproc"] = usableCPUs(len(cpus))
}

func atoiOr(s string, fallback int) int {
	if i, err := strconv.Atoi(s); err == nil && i > 0 {
		return i
	}
	return fallback
}

// usableCPUs counts the processors the worker may run on.
func usableCPUs(fallback int) int {
	var mask [128]uint64
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	if errno != 0 {
		return fallback
	}
	count := 0
	for _, word := range mask[:n/8] {
		for ; word != 0; word &= word - 1 {
			count++
		}
	}
	return count
}

func dmiFacts(_ context.Context, g *gathering) {
	for _, name := range strings.Fields(`bios_date bios_vendor bios_version board_asset_tag board_name board_serial
		board_vendor board_version chassis_asset_tag chassis_serial chassis_vendor chassis_version
		product_name product_serial product_uuid product_version`) {
		g.facts[name] = g.textOr("/sys/class/dmi/id/"+name, "NA")
	}
	g.facts["system_vendor"] = g.textOr("/sys/class/dmi/id/sys_vendor", "NA")
	g.facts["form_factor"] = "NA"
	forms := strings.Split(chassisTypes, ",")
	if i, err := strconv.Atoi(g.textOr("/sys/class/dmi/id/chassis_type", "")); err == nil && i >= 0 && i < len(forms) {
		g.facts["form_factor"] = forms[i]
	}
}

// chassisTypes are the names of the SMBIOS standard, by number.
const chassisTypes = "Unknown,Other,Unknown,Desktop,Low Profile Desktop,Pizza Box,Mini Tower,Tower,Portable,Laptop," +
	"Notebook,Hand Held,Docking Station,All In One,Sub Notebook,Space-saving,Lunch Box,Main Server Chassis," +
	"Expansion Chassis,Sub Chassis,Bus Expansion Chassis,Peripheral Chassis,RAID Chassis,Rack Mount Chassis," +
	"Sealed-case PC,Multi-system,CompactPCI,AdvancedTCA,Blade,Blade Enclosure,Tablet,Convertible,Detachable," +
	"IoT Gateway,Embedded PC,Mini PC,Stick PC"

func uptimeFacts(_ context.Context, g *gathering) {
	text, _ := g.text("/proc/uptime")
	whole, _, _ := strings.Cut(text, ".")
	if s, err := strconv.ParseInt(whole, 10, 64); err == nil {
		g.facts["uptime_seconds"] = s
	}
}
