package arch

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"testing"
)

// typeName is a type with its package's folder.
type typeName struct{ pkg, name string }

// typeSize counts the methods of a type and the files that hold them.
type typeSize struct{ methods, files int }

// largest is what a type may have: one that has more does more than one thing.
var largest = typeSize{methods: 25, files: 3}

// exceptions are larger types and how large each may be. An entry may only shrink.
// visit is one conversation with an HTTP camera, whose steps share its connection and
// deadline. Server takes pictures by HTTP and by TCP under the same limits. Device has a
// method for each call of the kernel's interface.
var exceptions = map[typeName]typeSize{
	{"node/camera/httpcam", "visit"}:      {26, 4},
	{"node/camera/push", "Server"}:        {18, 4},
	{"node/camera/webcam/v4l2", "Device"}: {27, 4},
}

// TestTypesAreSmall counts the methods of every type and the files they are in.
func TestTypesAreSmall(t *testing.T) {
	sizes, files := map[typeName]typeSize{}, map[typeName]string{}
	sources(t, func(path string, _ *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Recv == nil {
				continue
			}
			name := typeName{filepath.ToSlash(filepath.Dir(path)), receiver(method)}
			size := sizes[name]
			size.methods++
			if files[name] != path { // sources visits each file once
				files[name] = path
				size.files++
			}
			sizes[name] = size
		}
	})
	for name, size := range sizes {
		limit, listed := exceptions[name]
		if !listed {
			limit = largest
		}
		if size.methods > limit.methods || size.files > limit.files {
			t.Errorf("%s.%s has %d methods in %d files: want at most %d in %d",
				name.pkg, name.name, size.methods, size.files, limit.methods, limit.files)
		}
	}
	for name := range exceptions {
		if size := sizes[name]; size.methods <= largest.methods && size.files <= largest.files {
			t.Errorf("%s.%s has only %d methods in %d files: remove the exception",
				name.pkg, name.name, size.methods, size.files)
		}
	}
}
