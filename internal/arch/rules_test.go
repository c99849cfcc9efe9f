package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// sources parses every Go file of the program, tests aside.
func sources(t *testing.T, visit func(path string, set *token.FileSet, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		visit(path, set, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGoStatements asks every goroutine to say when it ends.
func TestGoStatements(t *testing.T) {
	sources(t, func(path string, set *token.FileSet, f *ast.File) {
		said := map[int]bool{}
		for _, c := range f.Comments {
			if strings.Contains(c.Text(), "ends ") {
				said[set.Position(c.Pos()).Line] = true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var at token.Pos
			switch n := n.(type) {
			case *ast.GoStmt:
				at = n.Pos()
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" && len(n.Args) == 1 {
					at = n.Pos()
				}
			}
			if at.IsValid() && !said[set.Position(at).Line] {
				t.Errorf("%s: a goroutine without a comment that says when it ends", set.Position(at))
			}
			return true
		})
	})
}

// passedOn reports whether a panic is one that package net/http asks handlers
// to let through.
func passedOn(call *ast.CallExpr) bool {
	s, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && s.Sel.Name == "ErrAbortHandler"
}

// receiver returns the type that a method belongs to, or "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// TestHouseRules holds the rest of what CONTRIBUTING.md promises of the code.
func TestHouseRules(t *testing.T) {
	const maxFile, maxFunc, maxParams = 400, 60, 4
	sources(t, func(path string, set *token.FileSet, f *ast.File) {
		if n := set.Position(f.End()).Line; n > maxFile {
			t.Errorf("%s has %d lines: want at most %d", path, n, maxFile)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > maxFunc {
					t.Errorf("%s: %s has %d lines: want at most %d", set.Position(n.Pos()), n.Name, lines, maxFunc)
				}
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: no init functions", set.Position(n.Pos()))
				}
				if n.Type.Params.NumFields() > maxParams+1 { // a context does not count
					t.Errorf("%s: %s has %d parameters", set.Position(n.Pos()), n.Name, n.Type.Params.NumFields())
				}
				if n.Name.IsExported() && n.Doc == nil && (n.Recv == nil || ast.IsExported(receiver(n))) {
					t.Errorf("%s: exported %s has no comment", set.Position(n.Pos()), n.Name)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" && !passedOn(n) {
					t.Errorf("%s: no panic", set.Position(n.Pos()))
				}
				if s, ok := n.Fun.(*ast.SelectorExpr); ok {
					if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "os" && s.Sel.Name == "Exit" && path != "main.go" {
						t.Errorf("%s: os.Exit only in main", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
	})
}
