package play

import (
	"sync"
	"testing"
)

func TestCrashReachesTheCaller(t *testing.T) {
	var c crash
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { c.guard(func() { panic("boom") }) })
	}
	wg.Wait()
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("recovered %v", p)
		}
	}()
	c.raise()
	t.Error("raise did not panic")
}
