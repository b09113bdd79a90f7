//! The deployment template on ministack, over CloudFormation: what `sam deploy` does with it, and
//! what it does with a later one.
//!
//! The short resources are expanded by AWS's own translator, which ministack calls. The template is
//! the repository's, but for what `for_ministack` lists, and each change there first holds the
//! template to what it replaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::binaries::Function;
use crate::cloud::{Cloud, python, zipped};
use crate::ministack::{LOOKS_MAX, Ministack, pause};
use crate::template::Template;

/// The stack, after its stage, `dev`.
const STACK: &str = "milepost-dev";
/// Where zip files lie.
const BUCKET: &str = "artifacts";

/// Writes the folder `argv[1]` as a zip file to standard output, with what its links lead to, and
/// unpacks it into the folder `argv[2]`.
const PACK_LAYER: &str = "
import io, os, sys, zipfile
source, target = sys.argv[1:]
packed = io.BytesIO()
with zipfile.ZipFile(packed, 'w') as archive:
    for folder, _, files in os.walk(source, followlinks=True):
        for name in sorted(files):
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, source))
zipfile.ZipFile(packed).extractall(target)
sys.stdout.buffer.write(packed.getvalue())
";

/// Values of the template's parameters.
pub type Parameters<'a> = &'a [(&'static str, &'a str)];

/// A stack of the template.
pub struct Deployment {
    cloud: Cloud,
    template: Value,
    /// The parameters that some deployment named.
    named: BTreeSet<&'static str>,
    /// Where the programs lie in the bucket.
    packages: BTreeMap<PathBuf, String>,
    /// The unpacked layer, which the worker reads.
    _layer: TempDir,
}

impl Deployment {
    /// Deploys the functions as they are built, with these parameters.
    ///
    /// # Errors
    /// When it can't be packed, or a resource is not made.
    pub async fn create(ministack: &Ministack, parameters: Parameters<'_>) -> Result<Deployment> {
        let cloud = Cloud::of(ministack);
        cloud.put_object(BUCKET, Vec::new()).await?;
        let layer = tempfile::tempdir()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../layer");
        let target = layer.path().to_owned();
        let packed = tokio::task::spawn_blocking(move || python(PACK_LAYER, &[&source, &target]));
        cloud.put_object(&format!("{BUCKET}/layer.zip"), packed.await??).await?;
        let template = for_ministack(Template::read().json(), &layer.path().join("catalog"))?;
        let (named, packages) = (BTreeSet::new(), BTreeMap::new());
        let mut deployment = Deployment { cloud, template, named, packages, _layer: layer };
        for function in Function::ALL {
            deployment.use_program(function, function.program().await?).await?;
        }
        deployment.deploy("CreateStack", parameters).await?;
        Ok(deployment)
    }

    /// Deploys again with these parameters; the others keep their values, as with `sam deploy`.
    ///
    /// # Errors
    /// When a resource can't be changed.
    pub async fn set(&mut self, parameters: Parameters<'_>) -> Result<()> {
        self.deploy("UpdateStack", parameters).await
    }

    /// Deploys again with this program in place of a function's.
    ///
    /// # Errors
    /// When it can't be packed, or is refused.
    pub async fn replace(&mut self, function: Function, program: &Path) -> Result<()> {
        self.use_program(function, program).await?;
        self.deploy("UpdateStack", &[]).await
    }

    /// An output of the stack.
    ///
    /// # Errors
    /// When it has none of this name.
    pub async fn output(&self, name: &str) -> Result<String> {
        let told = self.describe().await?;
        let (_, after) = told
            .split_once(&format!("<OutputKey>{name}</OutputKey>"))
            .with_context(|| format!("the stack has no output {name}"))?;
        Ok(within(after, "OutputValue")?.to_owned())
    }

    async fn use_program(&mut self, function: Function, program: &Path) -> Result<()> {
        if !self.packages.contains_key(program) {
            let key = format!("{}-{}.zip", function.name(), self.packages.len());
            let zip = zipped(program).await?;
            self.cloud.put_object(&format!("{BUCKET}/{key}"), zip.to_vec()).await?;
            self.packages.insert(program.to_owned(), key);
        }
        let code = format!("s3://{BUCKET}/{}", self.packages[program]);
        self.template["Resources"][logical(function)]["Properties"]["CodeUri"] = code.into();
        Ok(())
    }

    async fn deploy(&mut self, action: &str, parameters: Parameters<'_>) -> Result<()> {
        let given: BTreeMap<&'static str, &str> = parameters.iter().copied().collect();
        let mut call = vec![
            ("Action".to_owned(), action.to_owned()),
            ("StackName".to_owned(), STACK.to_owned()),
            ("TemplateBody".to_owned(), self.template.to_string()),
            ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
            ("Capabilities.member.2".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()),
        ];
        self.named.extend(given.keys());
        for (nth, name) in self.named.iter().enumerate() {
            let member = |field: &str| format!("Parameters.member.{}.{field}", nth + 1);
            call.push((member("ParameterKey"), (*name).to_owned()));
            call.push(match given.get(name) {
                Some(value) => (member("ParameterValue"), (*value).to_owned()),
                None => (member("UsePreviousValue"), "true".to_owned()),
            });
        }
        self.cloud.query(&call).await?;
        for _ in 0..LOOKS_MAX {
            let told = self.describe().await?;
            match within(&told, "StackStatus")? {
                "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(()),
                status if status.ends_with("_IN_PROGRESS") => pause().await,
                status => bail!("{action}: {status}: {}", within(&told, "StackStatusReason")?),
            }
        }
        bail!("{action} does not end")
    }

    async fn describe(&self) -> Result<String> {
        let call = [("Action", "DescribeStacks"), ("StackName", STACK)];
        self.cloud.query(&call.map(|(name, value)| (name.to_owned(), value.to_owned()))).await
    }
}

/// A function's name among the template's resources.
fn logical(function: Function) -> &'static str {
    match function {
        Function::Ingest => "IngestFunction",
        Function::Worker => "WorkerFunction",
        Function::Reader => "ReaderFunction",
    }
}

/// The template as ministack can take it. All that is changed:
///
/// - The layer's content is a zip file in a bucket, as `sam deploy` puts it there; the functions'
///   programs get there by [`Deployment::replace`] and the first deployment.
/// - Alarms over metric math are left out: ministack knows none.
/// - Whether the event source is enabled is a truth value. CloudFormation takes the parameter's text
///   for one, and ministack takes the text `false` for true.
/// - The catalog is where the layer is unpacked: ministack unpacks none for these functions.
fn for_ministack(mut template: Value, catalog: &Path) -> Result<Value> {
    let resources = template["Resources"].as_object_mut().context("a template of resources")?;
    let before = resources.len();
    resources.retain(|_, resource| !is_metric_math(resource));
    ensure!(resources.len() < before, "no alarm is over metric math any more");
    let layer = format!("s3://{BUCKET}/layer.zip");
    change(resources, "CatalogLayer", "/ContentUri", &json!("layer"), json!(layer))?;
    let switch = json!({ "Ref": "CrmProgress" });
    let truth = json!({ "Fn::If": ["CrmProgressIsOn", true, false] });
    change(resources, "WorkerEvents", "/Enabled", &switch, truth)?;
    let path = "/Environment/Variables/CATALOG_PATH";
    change(resources, "WorkerFunction", path, &json!("/opt/catalog"), json!(catalog))?;
    template["Conditions"]["CrmProgressIsOn"] = json!({ "Fn::Equals": [switch, "true"] });
    Ok(template)
}

fn is_metric_math(resource: &Value) -> bool {
    resource["Type"] == "AWS::CloudWatch::Alarm" && resource["Properties"]["Metrics"].is_array()
}

/// Changes a property that is as expected.
fn change(
    resources: &mut Map<String, Value>,
    resource: &str,
    path: &str,
    expected: &Value,
    to: Value,
) -> Result<()> {
    let property = resources.get_mut(resource).and_then(|one| one["Properties"].pointer_mut(path));
    let property = property.with_context(|| format!("{resource} has no {path}"))?;
    ensure!(property == expected, "{resource}{path} is {property}, and not {expected}");
    *property = to;
    Ok(())
}

/// The text of the first element of this name.
fn within<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let missing = || format!("an answer without {name}");
    let (_, after) = xml.split_once(&format!("<{name}>")).with_context(missing)?;
    Ok(after.split_once(&format!("</{name}>")).with_context(missing)?.0)
}
