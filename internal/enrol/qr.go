package enrol

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the white border that readers need, in modules. ISO/IEC 18004 wants four.
const quiet = 4

// QR is a QR code of a join string.
type QR struct{ code *qr.Code }

// NewQR makes the QR code of a text.
func NewQR(text string) (QR, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return QR{}, fmt.Errorf("draw the join string as a QR code: %w", err)
	}
	return QR{c}, nil
}

// PNG is the code as a picture, with its border.
func (q QR) PNG() []byte { return q.code.PNG() }

// SVG is the code as a drawing that has no script, no style and no link.
func (q QR) SVG() string {
	var b strings.Builder
	side := q.code.Size + 2*quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, side, side)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, side, side)
	for y := range q.code.Size {
		for x := 0; x < q.code.Size; x++ {
			from := x
			for q.code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// Terminal is the code in half blocks, two rows of modules to a line, black on white
// whatever the terminal's colours are.
func (q QR) Terminal() string {
	const (
		blackOnWhite = "\x1b[30;107m" // ECMA-48 section 8.3.117, and the bright white of aixterm
		plain        = "\x1b[0m"
		border       = 2 // what readers of screens are content with
	)
	var b strings.Builder
	for y := -border; y < q.code.Size+border; y += 2 {
		b.WriteString(blackOnWhite)
		for x := -border; x < q.code.Size+border; x++ {
			switch upper, lower := q.code.Black(x, y), q.code.Black(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(plain + "\n")
	}
	return b.String()
}
