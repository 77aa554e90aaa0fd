package lint

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"

	"mageprov/internal/playbook"
)

// WriteJSON writes findings as one JSON object; format counts its versions.
func WriteJSON(w io.Writer, found []playbook.Finding) error {
	type finding struct {
		Rule    string `json:"rule"`
		Level   string `json:"level"`
		File    string `json:"file,omitempty"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}
	out := struct {
		Format   int       `json:"format"`
		Findings []finding `json:"findings"`
	}{1, []finding{}}
	for _, f := range found {
		out.Findings = append(out.Findings, finding{f.Rule, string(f.Level), f.Place.File, f.Place.Line, f.Place.Col, f.Msg, f.Hint})
	}
	return write(w, out)
}

func write(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// The parts of SARIF 2.1.0 that code hosting sites show.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn,omitempty"`
	}
)

// WriteSARIF writes findings in SARIF 2.1.0, the form that code hosting sites read.
func WriteSARIF(w io.Writer, version string, found []playbook.Finding) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "mageprov", Version: version}
	index := map[string]int{}
	for i, r := range rules {
		index[r.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{r.ID, sarifText{r.About}, sarifDefault{string(r.Level)}})
	}
	for _, f := range found {
		i, ok := index[f.Rule]
		if !ok {
			i = -1 // SARIF's word for none
		}
		text := f.Msg
		if f.Hint != "" {
			text += " (" + f.Hint + ")"
		}
		r := sarifResult{RuleID: f.Rule, RuleIndex: i, Level: string(f.Level), Message: sarifText{text}}
		if f.Place.File != "" {
			loc := sarifLocation{sarifPhysical{Artifact: sarifArtifact{uri(f.Place.File)}}}
			if f.Place.Line > 0 {
				loc.Physical.Region = &sarifRegion{f.Place.Line, f.Place.Col}
			}
			r.Locations = []sarifLocation{loc}
		}
		run.Results = append(run.Results, r)
	}
	return write(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// uri is a file name as SARIF wants it.
func uri(file string) string {
	return strings.ReplaceAll(filepath.ToSlash(file), " ", "%20")
}
