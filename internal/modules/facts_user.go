package modules

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func userCollectors() []collector {
	return []collector{
		{"user", "min", []string{"user_*", "effective_*", "real_*"}, userFacts},
		{"env", "min", []string{"env"}, envFacts},
		{"date_time", "min", []string{"date_time"}, dateTimeFacts},
	}
}

func userFacts(_ context.Context, g *gathering) {
	f := g.facts
	uid := os.Getuid()
	f["user_uid"], f["user_gid"], f["user_id"] = uid, os.Getgid(), strconv.Itoa(uid)
	f["effective_user_id"], f["effective_group_id"] = os.Geteuid(), os.Getegid()
	f["real_user_id"], f["real_group_id"] = uid, os.Getgid()
	u, err := g.node.LookupUID(uid)
	if err != nil || u == nil {
		return
	}
	f["user_id"], f["user_gecos"], f["user_dir"], f["user_shell"] = u.Name, u.Gecos, u.Home, u.Shell
	f["user_gid"] = u.GID
}

func envFacts(_ context.Context, g *gathering) {
	env := map[string]any{}
	for _, kv := range g.node.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = cleanText([]byte(v))
		}
	}
	g.facts["env"] = env
}

func dateTimeFacts(_ context.Context, g *gathering) {
	now := g.node.Now().Local()
	utc := now.UTC()
	zone, _ := now.Zone()
	// The first Monday starts week 1, as strftime's %W counts.
	week := (now.YearDay() + 6 - (int(now.Weekday())+6)%7) / 7
	epoch := strconv.FormatInt(now.Unix(), 10)
	g.facts["date_time"] = map[string]any{
		"year": now.Format("2006"), "month": now.Format("01"), "day": now.Format("02"),
		"weekday": now.Weekday().String(), "weekday_number": strconv.Itoa(int(now.Weekday())),
		"weeknumber": fmt.Sprintf("%02d", week),
		"hour":       now.Format("15"), "minute": now.Format("04"), "second": now.Format("05"),
		"epoch": epoch, "epoch_int": epoch,
		"date": now.Format("2006-01-02"), "time": now.Format("15:04:05"),
		"iso8601": utc.Format("2006-01-02T15:04:05Z"), "iso8601_micro": utc.Format("2006-01-02T15:04:05.000000Z"),
		"iso8601_basic": strings.Replace(now.Format("20060102T150405.000000"), ".", "", 1), "iso8601_basic_short": now.Format("20060102T150405"),
		"tz": zone, "tz_dst": summerZone(now, zone), "tz_offset": now.Format("-0700"),
	}
}

// summerZone is the name of the zone's other half year, or zone again.
func summerZone(now time.Time, zone string) string {
	for _, m := range []time.Month{time.January, time.July} {
		if t := time.Date(now.Year(), m, 1, 0, 0, 0, 0, now.Location()); t.IsDST() {
			name, _ := t.Zone()
			return name
		}
	}
	return zone
}
