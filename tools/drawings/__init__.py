"""One module a chapter, each with its `FIGURES`: the name of a drawing and the function that draws it."""
