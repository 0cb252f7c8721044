"""Dad: a differentiable array language with types you can trust."""
