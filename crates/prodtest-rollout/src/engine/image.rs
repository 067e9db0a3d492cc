//! Asks the registry what is to be deployed, after building it where that is asked for.

use std::collections::BTreeSet;

use prodtest_gate::Rule;
use prodtest_image::{Build, Digest, ImageFacts, Platform, Reference, Registry, build_and_push};
use prodtest_kube::{
    Call, Cluster,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};

use super::{
    Halt, Session, Stage, Step,
    facts::{ImageSeen, Trouble},
    judge,
    plan::ImagePlan,
};

/// How long a build may take, push and all.
const BUILD: std::time::Duration = std::time::Duration::from_secs(3600);

/// Looks. The gate goes on only with an image that is there and fits, or where none is asked about.
///
/// # Errors
/// With any other.
pub async fn look(session: &mut Session<'_>, cluster: &Cluster) -> Step {
    session.started(Stage::Image);
    let went = look_at(session, cluster).await;
    session.finished(Stage::Image);
    went
}

async fn look_at(session: &mut Session<'_>, cluster: &Cluster) -> Step {
    let Some(image) = session.plan.image.as_ref().filter(|image| image.pin) else { return Ok(()) };
    let Some(registry) = &session.means.registry else { return Err(Halt::Told) };
    let mut seen = ImageSeen { registry: None, build: None, control: None, platforms: Vec::new(), no_platforms: None };
    let reference = match reference(session, image).await? {
        Ok(reference) => reference,
        Err(trouble) => {
            seen.build = Some(trouble);
            session.facts.image = Some(seen);
            return Err(Halt::Told);
        }
    };
    let asking =
        async { tokio::join!(registry.resolve(&reference), control(registry, &reference), platforms(image, cluster)) };
    let (resolved, control, platforms) = session.run.unless_stopped(asking).await?;
    seen.registry = Some(ImageFacts::of(&reference, resolved));
    seen.control = control;
    match platforms {
        Ok(platforms) => seen.platforms = platforms,
        Err(trouble) => seen.no_platforms = Some(trouble),
    }
    let is_good = judge::image::is_good(&seen);
    session.facts.image = Some(seen);
    if is_good { Ok(()) } else { Err(Halt::Told) }
}

/// What the registry is asked for; built and pushed first, where that is asked for.
async fn reference(session: &Session<'_>, image: &ImagePlan) -> Step<Result<Reference, Trouble>> {
    let named = |text: &str| text.parse::<Reference>().map_err(|error| error.to_string());
    let plain = match (named(&image.repository), &image.digest, &image.tag) {
        (Err(error), ..) => Err(error),
        (Ok(repository), Some(digest), _) => {
            digest.parse::<Digest>().map(|digest| repository.pinned(&digest)).map_err(|error| error.to_string())
        }
        (Ok(repository), None, Some(tag)) => repository.with_tag(tag).map_err(|error| error.to_string()),
        (Ok(repository), None, None) => Ok(repository),
    };
    let reference = match plain {
        Ok(reference) => reference,
        Err(error) => return Ok(Err(Trouble::measured("name", error, None))),
    };
    let Some((context, file)) = &image.build else { return Ok(Ok(reference)) };
    let tag = image.tag.clone().unwrap_or_default();
    session.note(Stage::Image, format!("builds and pushes {reference}"));
    let build = Build {
        context: context.clone(),
        file: file.clone(),
        repository: reference.clone(),
        version: prodtest_image::Version { described: tag, commit: String::new(), dirty: image.dirty },
        platform: None,
        plain_http: image.plain_http,
        program: None,
        path: None,
        patience: BUILD,
    };
    Ok(match session.run.unless_stopped(build_and_push(&build)).await? {
        Ok(built) => Ok(built.reference.pinned(&built.digest)),
        Err(error) => Err(Trouble::measured("build", error.to_string(), error.hint().map(str::to_owned))),
    })
}

/// What is wrong with a registry that has what it cannot have; none when nothing is.
async fn control(registry: &Registry, reference: &Reference) -> Option<String> {
    registry.control(reference).await.err().map(|error| error.to_string())
}

/// The platforms that it must be for: as the configuration says, else those of the nodes.
async fn platforms(image: &ImagePlan, cluster: &Cluster) -> Result<Vec<Platform>, Trouble> {
    if !image.platforms.is_empty() {
        let read = |text: &String| {
            text.parse::<Platform>().map_err(|error| Trouble::measured("name", error.to_string(), None))
        };
        return image.platforms.iter().map(read).collect();
    }
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Node"));
    let api: Api<DynamicObject> = Api::all_with(cluster.client(), &kind);
    let call = Call { asked: "list the nodes".to_owned(), rule: Rule::new("", "", &["nodes"], &["list"]) };
    let nodes = cluster.ask(&call, api.list(&ListParams::default())).await.map_err(|error| {
        let hint = error.hint().unwrap_or_default();
        Trouble::unmeasured(error.to_string(), Some(format!("{hint}; or say `platforms: [linux/amd64]` in `image`")))
    })?;
    let platforms: BTreeSet<(String, String)> = nodes
        .items
        .iter()
        .filter_map(|node| {
            let info = &node.data["status"]["nodeInfo"];
            Some((info["operatingSystem"].as_str()?.to_owned(), info["architecture"].as_str()?.to_owned()))
        })
        .collect();
    if platforms.is_empty() {
        return Err(Trouble::unmeasured("no node says of which platform it is", None));
    }
    Ok(platforms.into_iter().map(|(os, architecture)| Platform::new(os, architecture)).collect())
}
