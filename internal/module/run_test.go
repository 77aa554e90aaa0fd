package module

import (
	"context"
	"errors"
	"testing"

	"mageprov/internal/node"
)

// steps is a module whose plan is given.
type steps []Change

func (s steps) Check(context.Context, node.Reader) (Plan, error) { return Plan{Changes: s}, nil }

func TestRunCountsWhatWasDone(t *testing.T) {
	with := func(err error) func(context.Context, node.Writer) error {
		return func(context.Context, node.Writer) error { return err }
	}
	for name, c := range map[string]struct {
		plan    steps
		changed bool
		shown   int
		failed  bool
	}{
		"nothing":          {nil, false, 0, false},
		"one":              {steps{{What: "a", Apply: with(nil)}}, true, 1, false},
		"no change":        {steps{{What: "a", Apply: with(ErrNoChange)}}, false, 0, false},
		"quiet":            {steps{{What: "a", Quiet: true, Apply: with(nil)}}, false, 0, false},
		"quiet, then one":  {steps{{Quiet: true, Apply: with(nil)}, {What: "b"}}, true, 1, false},
		"no change, error": {steps{{Apply: with(ErrNoChange)}, {Apply: with(errors.New("x"))}}, false, 0, true},
	} {
		res := Run(context.Background(), c.plan, nil, false)
		if res.Changed != c.changed || len(res.Changes) != c.shown || res.Failed != c.failed {
			t.Errorf("%s: changed %v, %d shown, failed %v", name, res.Changed, len(res.Changes), res.Failed)
		}
	}
}
