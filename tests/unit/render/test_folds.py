import pytest

from orchestrator.render.folds import Pipeline, pipeline_of


@pytest.mark.parametrize(
    ("environment", "pipeline"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, Pipeline.GITHUB),
        ({"GITLAB_CI": "true", "CI": "true"}, Pipeline.GITLAB),
        ({"CI": "true"}, Pipeline.NONE),
        ({"GITHUB_ACTIONS": ""}, Pipeline.NONE),
    ],
)
def test_the_pipeline_is_known_by_its_environment(environment, pipeline) -> None:
    assert pipeline_of(environment) is pipeline
