"""Tables and figures from result files."""


def text_table(results):
    return str(results[0]['target_accuracy'])


def write(experiment, place, data_dir):
    return place / 'report.html'
