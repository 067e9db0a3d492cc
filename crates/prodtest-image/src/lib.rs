//! An image: how it is built, what its tag stands for in a registry, which platforms it is for.
