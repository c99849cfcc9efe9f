package jpeg

// header takes a scan header, whose length Scan has checked, and makes the
// components in it ready to be read.
func (w *Walker) header(s []byte) bool {
	w.part = int(s[0])
	for i := range w.part {
		id, dc, ac := s[1+2*i], s[2+2*i]>>4, s[2+2*i]&15
		at := -1
		for c := range w.count {
			if w.comps[c].id == id && !w.comps[c].coded {
				at = c
				break
			}
		}
		if at < 0 || dc > 3 || ac > 3 {
			return false
		}
		c := &w.comps[at]
		c.dc, c.ac, c.step = &w.tables[classDC][dc], &w.tables[classAC][ac], w.quant[c.table]
		if !c.dc.defined || !c.ac.defined || c.step == 0 {
			return false
		}
		c.coded = true
		c.perRow, c.perCol = c.h, c.v
		if w.part == 1 { // not interleaved: an MCU is a block, T.81 A.2.2
			c.perRow, c.perCol = 1, 1
		}
		// The DC coefficient is eight times the mean, which is -128 to 127; some room
		// is for rounding and for encoders that overshoot.
		c.most = (1280 + c.step) / c.step
		w.scanned[i] = at
	}
	return true
}

// scan reads the data of a scan, which must be exactly as much as there is, and
// goes to the marker behind it.
func (w *Walker) scan() flaw {
	across, down := ceil(w.in.Width, 8*w.hm), ceil(w.in.Height, 8*w.vm)
	if w.part == 1 {
		across, down = w.comps[w.scanned[0]].columns, w.comps[w.scanned[0]].rows
	}
	w.row, w.rows = 0, down
	w.forget()
	left, next := w.every, byte(mRST0)
	for y := range down {
		w.row = y
		for x := range across {
			if w.every > 0 && left == 0 {
				if f := w.marker(next); f != sound {
					return f
				}
				next = mRST0 + (next+1)&7
				left = w.every
			}
			left--
			if f := w.mcu(x, y); f != sound {
				return f
			}
			if w.r.spent() {
				return badEnd
			}
		}
	}
	return w.end()
}

// end goes to the marker behind a scan. Some encoders write a restart marker behind
// the last interval, too.
func (w *Walker) end() flaw {
	for {
		if !w.r.toMarker() {
			return badRest
		}
		if !isRestart(w.r.b[w.r.i+1]) {
			return sound
		}
		w.r.restart()
	}
}

func isRestart(m byte) bool { return m >= mRST0 && m <= mRST7 }

// marker passes the restart marker that must be next.
func (w *Walker) marker(want byte) flaw {
	if !w.r.toMarker() || w.r.b[w.r.i+1] != want {
		return badRestart
	}
	w.r.restart()
	w.forget()
	return sound
}

// forget sets predictions back, as at the beginning of an interval.
func (w *Walker) forget() {
	for _, c := range w.scanned[:w.part] {
		w.comps[c].pred = 0
	}
}

// mcu reads one minimum coded unit: some blocks of each component.
func (w *Walker) mcu(x, y int) flaw {
	for _, at := range w.scanned[:w.part] {
		c := &w.comps[at]
		for v := range c.perCol {
			for u := range c.perRow {
				diff, f := w.r.block(c.dc, c.ac)
				if f != sound {
					if w.r.spent() {
						return badEnd // it was no code but what stands in for data
					}
					return f
				}
				c.pred += diff
				if c.pred > c.most || c.pred < -c.most {
					return badLevel
				}
				if at == 0 {
					w.keep(c, x*c.perRow+u, y*c.perCol+v)
				}
			}
		}
	}
	return sound
}

// keep notes the mean of a block of the first component. Blocks beyond the
// picture's edge, which only fill up an MCU, are none of it.
func (w *Walker) keep(c *component, column, row int) {
	if column < c.columns && row < c.rows {
		w.luma[row*c.columns+column] = uint8(min(max((c.pred*c.step+4)>>3+128, 0), 255))
	}
}
