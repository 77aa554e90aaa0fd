package diff

// maxCost bounds the search for the shortest edit of one stretch; a stretch
// that needs more is replaced as a whole. The work is at most about its square.
const maxCost = 2000

// comparer finds the edits between two sequences of lines by Myers' algorithm
// in linear space. Lines are compared by number, not by text.
type comparer struct {
	a, b    []int
	fwd     []int // furthest x on each diagonal, from the start
	bwd     []int // the same from the end
	deleted []bool
	added   []bool
}

// compare gives the edits that turn a into b, in order and without neighbours.
func compare(a, b []string) []edit {
	ids := make(map[string]int, len(a))
	number := func(lines []string) []int {
		out := make([]int, len(lines))
		for i, l := range lines {
			id, ok := ids[l]
			if !ok {
				id = len(ids)
				ids[l] = id
			}
			out[i] = id
		}
		return out
	}
	c := &comparer{a: number(a), b: number(b), deleted: make([]bool, len(a)), added: make([]bool, len(b))}
	size := 2*min(len(a)+len(b), 2*maxCost+2) + 3
	c.fwd, c.bwd = make([]int, size), make([]int, size)
	c.walk(0, len(a), 0, len(b))
	return c.collect()
}

// walk marks what differs between a[a0:a1] and b[b0:b1].
func (c *comparer) walk(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 && c.a[a0] == c.b[b0] {
		a0++
		b0++
	}
	for a0 < a1 && b0 < b1 && c.a[a1-1] == c.b[b1-1] {
		a1--
		b1--
	}
	if a0 < a1 && b0 < b1 {
		if x, y, ok := c.middle(a0, a1, b0, b1); ok {
			c.walk(a0, x, b0, y)
			c.walk(x, a1, y, b1)
			return
		}
	}
	for i := a0; i < a1; i++ {
		c.deleted[i] = true
	}
	for i := b0; i < b1; i++ {
		c.added[i] = true
	}
}

// middle gives a point on a shortest path through the box, by searching from
// both corners until the two fronts meet. ok is false where the box has
// nothing in common, or too little to be worth the search.
func (c *comparer) middle(a0, a1, b0, b1 int) (x, y int, ok bool) {
	n, m := a1-a0, b1-b0
	delta, limit := n-m, min((n+m+1)/2, maxCost)
	mid := len(c.fwd) / 2
	odd := delta%2 != 0
	c.fwd[mid+1], c.bwd[mid+1] = 0, 0
	for d := 0; d <= limit; d++ {
		for k := -d; k <= d; k += 2 {
			x := step(c.fwd, mid, k, d)
			y := x - k
			sx, sy := x, y
			for x < n && y < m && c.a[a0+x] == c.b[b0+y] {
				x++
				y++
			}
			c.fwd[mid+k] = x
			if r := delta - k; odd && r >= -(d-1) && r <= d-1 && x+c.bwd[mid+r] >= n {
				return c.point(a0, a1, b0, b1, a0+sx, b0+sy, a0+x, b0+y)
			}
		}
		for k := -d; k <= d; k += 2 {
			x := step(c.bwd, mid, k, d)
			y := x - k
			sx, sy := x, y
			for x < n && y < m && c.a[a1-1-x] == c.b[b1-1-y] {
				x++
				y++
			}
			c.bwd[mid+k] = x
			if r := delta - k; !odd && r >= -d && r <= d && x+c.fwd[mid+r] >= n {
				return c.point(a0, a1, b0, b1, a1-x, b1-y, a1-sx, b1-sy)
			}
		}
	}
	return 0, 0, false
}

// step gives where diagonal k is entered on round d.
func step(v []int, mid, k, d int) int {
	if k == -d || k != d && v[mid+k-1] < v[mid+k+1] {
		return v[mid+k+1]
	}
	return v[mid+k-1] + 1
}

// point picks an end of the middle snake at which the box really gets smaller
// on both sides.
func (c *comparer) point(a0, a1, b0, b1, x0, y0, x1, y1 int) (x, y int, ok bool) {
	for _, p := range [][2]int{{x0, y0}, {x1, y1}} {
		x, y := p[0], p[1]
		inside := x >= a0 && x <= a1 && y >= b0 && y <= b1
		if inside && !(x == a0 && y == b0) && !(x == a1 && y == b1) {
			return x, y, true
		}
	}
	return 0, 0, false
}

// collect turns the marks into edits.
func (c *comparer) collect() []edit {
	var out []edit
	i, j := 0, 0
	for i < len(c.a) || j < len(c.b) {
		e := edit{A0: i, B0: j}
		for i < len(c.a) && c.deleted[i] {
			i++
		}
		for j < len(c.b) && c.added[j] {
			j++
		}
		if e.A1, e.B1 = i, j; e.A0 < e.A1 || e.B0 < e.B1 {
			out = append(out, e)
			continue
		}
		i++
		j++
	}
	return out
}
