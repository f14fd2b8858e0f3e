{{/* The ports of the API, of all base URLs, in order. */}}
{{- define "metaaccess-exporter.apiPorts" -}}
{{- $urls := list -}}
{{- range .Values.accounts -}}
{{- $urls = append $urls (.base_url | default $.Values.api.baseUrl) -}}
{{- end -}}
{{- $ports := list -}}
{{- range $urls -}}
{{- $ports = append $ports (include "metaaccess-exporter.port" .) -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | join " " -}}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "metaaccess-exporter.port" -}}
{{- $scheme := regexFind "^[a-zA-Z]+" . | lower -}}
{{- $host := regexReplaceAll "^[a-zA-Z]+://([^/?#]*@)?([^/?#]*).*$" (trim .) "${2}" -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default (ternary "80" "443" (eq $scheme "http")) -}}
{{- end -}}

{{/* http or https, as the exporter answers. */}}
{{- define "metaaccess-exporter.scheme" -}}
{{- $own := ternary "https" "http" (contains "tls" (include "metaaccess-exporter.webAsksFor" .)) -}}
{{- .Values.serviceMonitor.scheme | default $own -}}
{{- end -}}
