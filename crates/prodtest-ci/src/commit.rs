//! The commit that a run is about.

use std::{fs::File, io::Read as _};

use serde_json::Value;

use crate::{Environment, Platform};

/// An event file is some hundred kilobytes; what is larger is none.
const MAX_EVENT: u64 = 16 * 1024 * 1024;

pub(crate) fn commit(environment: &Environment) -> Option<String> {
    let commit = match environment.platform() {
        Platform::GitHub | Platform::Gitea => pushed(environment).or_else(|| environment.var("GITHUB_SHA")),
        // The source branch's commit is there in pipelines that try a merge; the other is the merge then.
        Platform::GitLab => {
            environment.var("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| environment.var("CI_COMMIT_SHA"))
        }
        Platform::Shell => None,
    };
    commit.filter(|commit| is_commit(commit))
}

/// The head of the pull request that the workflow runs for. `GITHUB_SHA` is the merge that GitHub made up to try it.
fn pushed(environment: &Environment) -> Option<String> {
    let path = environment.var("GITHUB_EVENT_PATH")?;
    let mut json = String::new();
    File::open(path).ok()?.take(MAX_EVENT).read_to_string(&mut json).ok()?;
    let event: Value = serde_json::from_str(&json).ok()?;
    let sha = event.pointer("/pull_request/head/sha")?.as_str()?;
    is_commit(sha).then(|| sha.to_owned())
}

/// SHA-1 or SHA-256, in hexadecimal.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use crate::fixture::{environment, file};

    const MERGE: &str = "1111111111111111111111111111111111111111";
    const HEAD: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn of_a_pull_request_it_is_the_head() {
        let event = file(&format!("{{\"pull_request\": {{\"head\": {{\"sha\": \"{HEAD}\"}}}}}}"));
        let path = event.path().to_str().unwrap();
        let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", MERGE), ("GITHUB_EVENT_PATH", path)];
        assert_eq!(environment(&variables).commit().as_deref(), Some(HEAD));
    }

    #[test]
    fn otherwise_it_is_the_commit_of_the_run() {
        for event in ["{\"ref\": \"main\"}", "no JSON", "{\"pull_request\": {\"head\": {\"sha\": \"; rm -rf\"}}}"] {
            let event = file(event);
            let path = event.path().to_str().unwrap();
            let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", MERGE), ("GITHUB_EVENT_PATH", path)];
            assert_eq!(environment(&variables).commit().as_deref(), Some(MERGE));
        }
        let missing = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", MERGE), ("GITHUB_EVENT_PATH", "/nowhere")];
        assert_eq!(environment(&missing).commit().as_deref(), Some(MERGE));
    }

    #[test]
    fn gitlab_says_it_in_variables() {
        let mut variables = vec![("GITLAB_CI", "true"), ("CI_COMMIT_SHA", MERGE)];
        assert_eq!(environment(&variables).commit().as_deref(), Some(MERGE));
        variables.push(("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", HEAD));
        assert_eq!(environment(&variables).commit().as_deref(), Some(HEAD));
    }

    #[test]
    fn a_shell_knows_none() {
        assert_eq!(environment(&[("GITHUB_SHA", MERGE)]).commit(), None);
    }
}
